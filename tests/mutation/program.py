"""Makes small mutations of the library, one at a time, and says which ones no unit test notices.

Each is made in a copy of the repository. First the tests run that run the changed line, then, if
those notice nothing, the files of tests that reach the module some other way. A test that hangs
notices, too. Mutations that change nothing are named in tests/mutation/equivalents.txt and don't
count. The exit code is 1 if more than 5 % of the others survive.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import os
import queue
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from .choice import choose
from .equivalents import read_equivalents, write_key
from .mutants import Mutation, find_mutations
from .relevance import LineMap, Reach, rounds
from .trials import Copy, files

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = Path("workflow/sweepmake")
TESTS = "tests/unit"
EQUIVALENTS = Path(__file__).with_name("equivalents.txt")
MOST_SURVIVING = 0.05  # of those that are no equivalents
_ENDING = (signal.SIGINT, signal.SIGTERM)

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a mutation: the test (or what else) that noticed it, "" if nothing did."""

    mutation: Mutation
    noticed_by: str = ""
    equivalent: bool = False

    def __str__(self) -> str:
        one = self.mutation
        what = f"{one.module}:{one.number} {one.function or 'at the import'}: {one.kind}"
        if self.equivalent:
            return f"equivalent  {what}"
        if not self.noticed_by:
            return f"survived    {what}"
        return f"killed      {what}, by {self.noticed_by}"


def main(arguments: list[str]) -> int:
    """Return 0 if few enough survive, else 1."""
    asked = _parser().parse_args(arguments)
    for number in _ENDING:
        signal.signal(number, _interrupt)
    library = ROOT / LIBRARY
    sources = {
        path.relative_to(library).as_posix(): path.read_text(encoding="utf-8")
        for path in library.rglob("*.py")
    }
    reasons = read_equivalents(EQUIVALENTS.read_text(encoding="utf-8"))
    found = {module: find_mutations(module, source) for module, source in sources.items()}
    known = {one.key for mutations in found.values() for one in mutations}
    for key in sorted(set(reasons) - known):
        print(f"the list of equivalents names what is no mutation any more: {write_key(key)}")
    some = {name: found[name] for name in found if fnmatch.fnmatch(name, asked.only)}
    chosen = choose(sources, some, asked.count, asked.seed)
    outcomes = [Outcome(one, equivalent=True) for one in chosen if one.key in reasons]
    print(*outcomes, sep="\n", end="\n" if outcomes else "", flush=True)
    real = [one for one in chosen if one.key not in reasons]
    if real:
        with tempfile.TemporaryDirectory(prefix="sweepmake-mutation-") as folder:
            outcomes += _tried(real, Path(folder).resolve(), asked.jobs, asked.map)
    return _summary(outcomes, sources)


def _interrupt(number: int, frame: object) -> None:
    """End what runs, on the first of such signals: another one would disturb just that."""
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python tests/mutation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--count", type=int, default=150, help="how many mutations (%(default)s)")
    add("--seed", type=int, default=1, help="another number, other mutations (%(default)s)")
    add("--only", default="*", metavar="PATTERN", help="modules, as in 'logs/*' (all)")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="at a time (%(default)s)")
    add(
        "--map",
        type=Path,
        metavar="FILE",
        help="keep here which tests run which lines, and use it while no file is another",
    )
    return parser


def _tried(chosen: list[Mutation], folder: Path, jobs: int, kept: Path | None) -> list[Outcome]:
    """Try mutations out, several at a time; say what comes of each at once."""
    copies = [Copy(ROOT, LIBRARY, folder / str(at)) for at in range(max(1, jobs))]
    tests = _mapped(copies, kept)
    began = time.monotonic()
    root = copies[0].root
    python = [root / name for name in files(ROOT) if name.endswith(".py")]
    in_tests = [path for path in python if root / "tests" in path.parents]
    tested = {root / test.partition("::")[0] for test in tests.seconds}
    reach = Reach(
        copies[0].library,
        tested,
        [path for path in in_tests if not path.name.startswith("test_")],
        [path for path in python if path not in in_tests and root / LIBRARY not in path.parents],
    )

    def try_out(copy: Copy, mutation: Mutation) -> Outcome:
        return Outcome(
            mutation, copy.try_out(mutation, rounds(mutation, tests, reach, root), tests)
        )

    outcomes = []
    for outcome in _each(copies, try_out, chosen):
        outcomes.append(outcome)
        print(f"[{len(outcomes)}/{len(chosen)}] {outcome}", flush=True)
    print(f"{(time.monotonic() - began) / len(chosen):.1f} s for each, {len(copies)} at a time")
    return _confirmed(outcomes, copies[0], tests)


def _each(
    copies: list[Copy], do: Callable[[Copy, Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Yield the results in the order of the items, each done in a copy that nothing else uses."""
    free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)

    def done(item: Item) -> Result:
        copy = free.get()
        try:
            return do(copy, item)
        finally:
            free.put(copy)

    pool = ThreadPoolExecutor(len(copies))
    try:
        yield from pool.map(done, items)
    except BaseException:  # an interrupt too: what waits is dropped, what runs is ended
        pool.shutdown(wait=False, cancel_futures=True)
        for copy in copies:
            copy.stop()
        raise
    finally:
        pool.shutdown()


def _mapped(copies: list[Copy], kept: Path | None) -> LineMap:
    """Return which tests run which lines: from the file that keeps it, or by running them all.

    Tests that fail without any mutation are said and left out.
    """
    content = _content()
    if kept and kept.exists():
        found = json.loads(kept.read_text())
        if found["content"] == content:
            return LineMap.of(found["sessions"])
    began = time.monotonic()
    paths = sorted((ROOT / TESTS).rglob("test_*.py"), key=lambda path: path.stat().st_size)
    # this program's own tests say nothing about the library
    tested = [path for path in paths if "\nfrom mutation." not in path.read_text(encoding="utf-8")]
    names = [path.relative_to(ROOT).as_posix() for path in tested]
    parts = [names[at :: len(copies)] for at in range(len(copies))]
    sessions = list(_each(copies, Copy.map, filter(None, parts)))
    for session in sessions:
        for test in session["failed"]:
            print(f"fails without any mutation, so it is not used: {test}")
    tests = LineMap.of(sessions)
    print(f"{len(tests.seconds)} tests mapped in {time.monotonic() - began:.0f} s", flush=True)
    if kept:
        kept.write_text(json.dumps({"content": content, "sessions": sessions}))
    return tests


def _content() -> str:
    """Return a digest of all files but this program's own."""
    digest = hashlib.sha256()
    for name in files(ROOT):
        path = ROOT / name
        if Path(__file__).parent not in path.parents:
            # a link to a folder is one of the files
            data = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
            digest.update(f"{name} {hashlib.sha256(data).hexdigest()}\n".encode())
    return digest.hexdigest()


def _confirmed(outcomes: list[Outcome], copy: Copy, tests: LineMap) -> list[Outcome]:
    """Return the outcomes; what a test noticed that fails without the mutation too has survived."""
    noticed = {outcome.noticed_by for outcome in outcomes} & set(tests.seconds)
    if not noticed:
        return outcomes
    in_order = [test for test in tests.seconds if test in noticed]
    unfit = set(copy.run(in_order, None, first=False).failed)
    for outcome in outcomes:
        if outcome.noticed_by in unfit:
            print(f"fails without the mutation too, so it doesn't count: {outcome}")
    return [
        Outcome(outcome.mutation) if outcome.noticed_by in unfit else outcome
        for outcome in outcomes
    ]


def _summary(outcomes: list[Outcome], sources: dict[str, str]) -> int:
    """Print the survivors and the counts; return the exit code."""
    survived = [one.mutation for one in outcomes if not (one.equivalent or one.noticed_by)]
    for one in survived:
        print(f"\n{write_key(one.key)}\n{one.diff(sources[one.module])}", end="")
    equivalent = sum(outcome.equivalent for outcome in outcomes)
    real = len(outcomes) - equivalent
    share = len(survived) / real if real else 0.0
    print(
        f"{len(outcomes)} mutants, {real - len(survived)} killed, {equivalent} equivalent, "
        f"{len(survived)} survived ({share:.1%})"
    )
    return int(share > MOST_SURVIVING)
