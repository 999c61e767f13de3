"""`python tests/mutation`: the mutations that it finds, takes and runs tests for."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import mutation as mutation_package
import pytest
from mutation.choice import choose
from mutation.equivalents import read_equivalents, write_key
from mutation.mutants import Mutation, compiles, find_mutations
from mutation.relevance import LineMap, Reach, rounds
from mutation.trials import Copy, compile_by_content, end_processes

SAMPLE = '''"""A module with a `1` in its text."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from no_such import limit

    HIDDEN = 1 + 2

__all__ = ["first"]
VERSION = 3
Side = Literal["left", "right"]
TABLE = {"é": 5}


class Thing:
    """A thing."""

    __slots__ = ("a",)
    size: "int" = 4
    """Its size."""

    def good(self, limit: Literal["x"] = None, other: "str" = "y") -> "bool":
        """Say `not`."""
        return self.size < limit


def first(rows: list["int"], *, strict=False) -> int:
    for row in sorted(rows, key=abs):
        if row and (row == 6 or not strict):
            break
        if not row:
            continue
        print(f"{row + 1} rows", end="", flush=True)
    total: "int" = 0
    total += 7
    return (
        total
        - 8
    )


def any_good(rows) -> bool:
    return any(row > 9 for row in rows if row > 10)
'''


def changes(source: str = SAMPLE) -> list[tuple[str, str, str]]:
    return [(one.function, one.line, one.kind) for one in find_mutations("sample.py", source)]


def mutation(function: str, kind: str, line: str = "") -> Mutation:
    """Return the only mutation of this kind in such a line of a function of the sample."""
    (found,) = (
        one
        for one in find_mutations("sample.py", SAMPLE)
        if (one.function, one.kind) == (function, kind) and line.strip() in one.line
    )
    return found


def test_all_mutants_differ_and_compile() -> None:
    """None is the sample itself, none is there twice, and Python takes all of them."""
    found = find_mutations("sample.py", SAMPLE)
    mutants = [one.applied(SAMPLE) for one in found]
    assert len(mutants) > 30
    assert len({SAMPLE, *mutants}) == len(mutants) + 1
    assert len({ast.dump(ast.parse(text)) for text in [SAMPLE, *mutants]}) == len(mutants) + 1
    assert all(map(compiles, mutants))
    assert len({one.key for one in found}) == len(found)


@pytest.mark.parametrize(
    ("function", "kind", "old", "new"),
    [
        ("Thing.good", "turn < into <=", "self.size < limit", "self.size <= limit"),
        ("first", "turn == into !=", "(row == 6 or", "((row != 6) or"),
        ("first", "turn and into or", "row and (row", "row or (row"),
        ("first", "drop not", "or not strict", "or strict"),
        ("first", "turn + into -", '{row + 1} rows"', "{row - 1} rows'"),
        ("first", "turn 6 into 7", "== 6", "== 7"),
        ("first", "turn False into True", "strict=False", "strict=True"),
        ("Thing.good", "turn 'y' into ''", '= "y"', "= ''"),
        ("", "turn 'é' into ''", '"é"', "''"),
        ("", "turn 5 into 6", '"é": 5', '"é": 6'),
        ("Thing", "turn 4 into 5", "= 4", "= 5"),
        ("first", "leave out the call", "        print(", "        pass"),
        ("first", "drop argument key", "sorted(rows, key=abs)", "sorted(rows)"),
        ("first", "reverse the sort", "key=abs)", "key=abs, reverse=True)"),
        ("first", "return None", "return (\n", "return None"),
        ("any_good", "return the opposite", "return any", "return not any"),
        ("first", "turn break into continue", "break", "continue"),
        ("first", "turn continue into break", "continue", "break"),
        ("first", "negate the condition", "if row and", "if not (row and"),
        ("any_good", "negate the condition", "if row > 10", "if (not row > 10)"),
    ],
)
def test_each_kind_of_change_is_made(function: str, kind: str, old: str, new: str) -> None:
    """Where `old` stood, `new` stands, and what is before and behind the statement is as it was."""
    changed = mutation(function, kind, old)
    mutant = changed.applied(SAMPLE)
    at = SAMPLE.index(old)
    assert new in mutant[at - len(new) : at + 2 * len(new) + 10]
    assert mutant.count(new) == SAMPLE.count(new) + 1
    data = SAMPLE.encode()
    assert mutant.encode().startswith(data[: changed.start])
    assert mutant.encode().endswith(data[changed.end :])


def test_nothing_is_changed_that_is_no_behaviour() -> None:
    """Docstrings, annotations, `__all__`, `__slots__`, versions, what only type checkers see."""
    kept = ["A module", "no_such", "HIDDEN", "__all__", "VERSION", "Side", "A thing", "__slots__"]
    kept += ["Its size", "Say `not`"]
    touched = {line for _, line, _ in changes()}
    assert not [line for line in touched if any(word in line for word in kept)]
    kinds = {kind for _, _, kind in changes()}
    assert not {"turn 'x' into ''", "turn 'int' into ''", "turn 'bool' into ''"} & kinds
    assert not {"turn 2 into 3", "turn 3 into 4"} & kinds


def test_guards_are_neither_dropped_nor_turned() -> None:
    """Without them a correct program does the same: encoding=, strict= of zip, a frozen class."""
    source = "open(a, b, encoding=c)\nzip(a, strict=d)\n@dataclass(frozen=e, order=f)\nclass A: 0\n"
    kinds = [kind for _, _, kind in changes(source) if "argument" in kind]
    assert kinds == ["drop the last argument without a name", "drop argument order"]
    source = "@dataclass(frozen=True, slots=True, order=True)\nclass A: 0\nzip(a, b, strict=True)\n"
    kinds = [kind for _, _, kind in changes(source) if "turn" in kind]
    assert kinds == ["turn True into False"]
    assert [kind for _, _, kind in changes("x = f(a, strict=True)\n")] == [
        "drop argument strict", "turn True into False"
    ]  # fmt: skip


def test_the_second_of_a_line_has_a_name_of_its_own() -> None:
    """Also after lines above it were added: the key has no line numbers."""
    found = find_mutations("a.py", "def f(a):\n    return a < 1 < 1\n")
    later = find_mutations("a.py", "import b\n\n\ndef f(a):\n    return a < 1 < 1\n")
    assert [one.key for one in found] == [one.key for one in later]
    assert "turn 1 into 2 #2" in [one.kind for one in found]


def test_a_seed_always_takes_the_same() -> None:
    """And another seed takes others; a longer module gets more."""
    sources = {"long.py": SAMPLE, "short.py": "def f(a):\n    b = a + 1\n    return b * 2 < 3\n"}
    found = {module: find_mutations(module, source) for module, source in sources.items()}

    def taken(seed: int) -> list[Mutation]:
        return choose(sources, found, 14, seed)

    assert taken(1) == taken(1)
    assert taken(1) != taken(2)
    modules = [one.module for one in taken(1)]
    assert 10 <= modules.count("long.py") < modules.count("long.py") + modules.count("short.py")
    assert len({one.group for one in taken(1) if one.module == "long.py"}) >= 9
    assert len(choose(sources, found, 1000, 1)) == sum(map(len, found.values()))


def test_equivalents_are_read_as_they_are_written() -> None:
    """With their reasons; an entry without a reason, or there twice, is an error."""
    keys = [mutation("first", "turn 6 into 7").key, mutation("", "turn 5 into 6").key]
    text = "# a comment\n\n" + "\n\n".join(f"{write_key(key)}\nBecause\nof it." for key in keys)
    assert read_equivalents(text) == dict.fromkeys(keys, "Because of it.")
    with pytest.raises(ValueError, match="a reason"):
        read_equivalents(write_key(keys[0]))
    with pytest.raises(ValueError, match="twice"):
        read_equivalents(f"{text}\n\n{write_key(keys[0])}\nAgain.")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a package, a program of it that runs in a process of its own, and tests."""
    files = {
        "workflow/pack/__init__.py": (
            "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from pack.sums import add\n"
        ),
        # another program, which no test starts
        "workflow/pack/more/__init__.py": "",
        "workflow/pack/more/__main__.py": "from pack.sums import add\n\nprint(add(1, 2))\n",
        "workflow/pack/sums.py": "def add(a, b):\n    return a + b\n",
        "workflow/pack/ends.py": "def end():\n    return 3\n",
        "workflow/pack/__main__.py": "from pack import ends\n\nraise SystemExit(ends.end())\n",
        "tests/starter.py": (
            "import pack, subprocess, sys\nfrom pathlib import Path\n\n"
            "ENTRY = Path(pack.__file__).with_name('__main__.py')\n\n"
            "def start():\n    return subprocess.call([sys.executable, ENTRY.parent])\n"
        ),
        "tests/conftest.py": (
            "import pytest\nfrom starter import start\n\n"
            "@pytest.fixture\ndef started():\n    return start()\n"
        ),
        "tests/unit/test_adding.py": (
            "import pytest\nfrom pack.sums import add\n\n"
            "@pytest.fixture(scope='module')\ndef total():\n    return add(2, 0)\n\n"
            "def test_nothing(total):\n    assert total\n\n"
            "def test_other():\n    pass\n\n"
            "def test_total(total):\n    assert total + add(1, 1) == 4\n"
        ),
        "tests/unit/test_starting.py": "def test_code(started):\n    assert started == 3\n",
    }
    root = tmp_path / "repository"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for plugin in (Path(mutation_package.__file__).parent).glob("*.py"):
        target = root / "tests" / "mutation" / plugin.name
        target.parent.mkdir(exist_ok=True)
        target.write_text(plugin.read_text())
    subprocess.run(["git", "init", "-q", root], check=True)
    return root


def test_mutants_are_tried_in_a_copy(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the tests that run the line, fixtures that they share included, and then by those that
    reach it through a program that they start; what no test notices survives; the repository stays
    as it is."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take long to start
    copy = Copy(repository, Path("workflow/pack"), tmp_path / "copy")
    session = copy.map(["tests/unit/test_adding.py", "tests/unit/test_starting.py"])
    assert session["failed"] == []
    tests = LineMap.of([session])
    root = copy.root
    reach = Reach(
        copy.library,
        sorted((root / "tests").rglob("test_*.py")),
        [root / "tests" / "starter.py", root / "tests" / "conftest.py"],
        [],
    )

    def of(module: str, kind: str) -> tuple[Mutation, list[list[str]]]:
        source = (copy.library / module).read_text()
        (one,) = (one for one in find_mutations(module, source) if one.kind == kind)
        return one, rounds(one, tests, reach, root)

    adding, code = "tests/unit/test_adding.py::test_", "tests/unit/test_starting.py::test_code"
    calculated, chosen = of("sums.py", "turn + into -")
    assert chosen == [[f"{adding}nothing", f"{adding}total"], [f"{adding}other"]]
    assert copy.try_out(calculated, [[f"{adding}other"]], tests) == ""
    ended, chosen = of("ends.py", "turn 3 into 4")
    assert chosen == [[code]]
    assert copy.try_out(ended, chosen, tests) == code
    for folder in (root, repository):
        assert (folder / "workflow/pack/ends.py").read_text() == "def end():\n    return 3\n"
    assert not list(repository.rglob("*.pyc"))


def test_what_a_mutant_leaves_is_ended() -> None:
    """By a variable of its environment, in whatever session it is; nothing else is."""
    variable = f"MADE_UP_{os.getpid()}"
    left, other = (
        subprocess.Popen(
            ["sleep", "60"], env={**os.environ, variable: value}, start_new_session=True
        )
        for value in ("1", "2")
    )
    try:
        end_processes(f"{variable}=1")
        assert left.wait(20) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        for process in (left, other):
            process.kill()
            process.wait()


def test_python_does_not_take_the_bytecode_of_the_mutant_before(tmp_path: Path) -> None:
    """Of the same length, written at the same time."""
    library = tmp_path / "made_up_package"
    library.mkdir()
    module = library / "__init__.py"
    said = []
    for number in (1, 2, 1):
        module.write_text(f"print({number})\n")
        os.utime(module, (1e9, 1e9))
        if not said:
            compile_by_content(library)
        command = [sys.executable, "-S", "-c", "import made_up_package"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True)
        said.append(done.stdout)
    assert said == ["1\n", "2\n", "1\n"]
