"""Which tests could notice a mutation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .mutants import Mutation, is_for_type_checkers

# import a.b; from a.b import c, d; and a.b.c anywhere else, as in `monkeypatch.setattr("a.b.c", …)`
_FROM = re.compile(r"\bfrom\s+([\w.]+)\s+import\s+\(?([\w\s,]+)")
_IMPORT = re.compile(r"\bimport\s+(\w+)")
_DOTTED = re.compile(r"\b\w+(?:\.\w+)+")


@dataclass(slots=True)
class LineMap:
    """Which tests ran which lines.

    Attributes:
        seconds: how long each test took, by its id, in the order of the tests.
        lines: the tests by module and line.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[int, set[str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, sessions: list[dict[str, Any]]) -> LineMap:
        """Return what sessions of pytest saw, as `watch` wrote it, without tests that failed."""
        made = cls()
        for session in sessions:
            tests = list(session["seconds"])
            good = set(tests) - set(session["failed"])
            made.seconds |= {test: session["seconds"][test] for test in tests if test in good}
            for module, numbered in session["lines"].items():
                known = made.lines.setdefault(module, {})
                for line, numbers in numbered.items():
                    ran = {tests[number] for number in numbers}
                    known.setdefault(int(line), set()).update(ran & good)
        return made

    def running(self, mutation: Mutation) -> set[str]:
        """Return the tests that run what is changed; at the import, all those of the module."""
        lines = self.lines.get(mutation.module, {})
        first, last = mutation.runs or (0, max(lines, default=0))
        return set().union(*(lines.get(line, ()) for line in range(first, last + 1)))


class Reach:
    """Which files of tests reach a module, by what they name: for code that runs in a process of
    its own, where coverage doesn't see it.

    A file reaches the modules that its name and its text name, and what is reached by the other
    files of the tests' folders that it imports and by the conftest.py whose fixtures it uses. If it
    names a program's file (`__main__.py` of a package, a script), it reaches all that the program
    imports.

    Args:
        library: the package's folder.
        files: the files of the tests.
        around: the other Python files of the tests' folders.
        programs: the Python files outside the library that may be programs.
    """

    def __init__(
        self, library: Path, files: Iterable[Path], around: Iterable[Path], programs: Iterable[Path]
    ) -> None:
        self._modules = {_dotted(library, path): path for path in sorted(library.rglob("*.py"))}
        self._library = library
        self._around = {path: path.read_text(encoding="utf-8") for path in around}
        self._files = {path: path.read_text(encoding="utf-8") for path in files}
        mains = [path for path in self._modules.values() if path.name == "__main__.py"]
        self._programs = {
            path: self._imported(path) for path in [*mains, *programs] if self._is_program(path)
        }
        self._reached = {path: set(self._reaches(path)) for path in self._files}

    def files(self, module: str) -> list[Path]:
        """Return the files that reach a module, first those that are named after it."""
        path = self._library / module
        found = [file for file, reached in self._reached.items() if path in reached]
        return sorted(found, key=lambda file: (not _is_named_after(file, path), file))

    def _reaches(self, file: Path) -> Iterator[Path]:
        for text in self._texts(file):
            yield from self._named(text)
            for program in self._started(text):
                yield from self._programs[program]
        yield from (path for path in self._modules.values() if _is_named_after(file, path))

    def _started(self, text: str) -> list[Path]:
        """Return the programs whose files a text names; of several `__main__.py`, those of packages
        that it names too, if there are any."""
        named = set(self._named(text))
        mentioned = [
            path for path in self._programs if re.search(rf"\b{re.escape(path.name)}\b", text)
        ]
        mains = [path for path in mentioned if path.name == "__main__.py"]
        known = [path for path in mains if {path, path.with_name("__init__.py")} & named]
        return [path for path in mentioned if path not in mains or path in (known or mains)]

    def _texts(self, file: Path) -> list[str]:
        """Return the text of a file of tests and of all that it uses in their folders."""
        texts = {file: self._files[file]}
        new = [file]
        while new:
            text = texts[new.pop()]
            for path, other in self._around.items():
                if path not in texts and self._uses(file, text, path, other):
                    texts[path] = other
                    new.append(path)
        return list(texts.values())

    def _uses(self, file: Path, text: str, path: Path, other: str) -> bool:
        if path.name != "conftest.py":
            return bool(re.search(rf"\b(?:from|import)\s+(?:\w+\.)*{re.escape(path.stem)}\b", text))
        fixtures = re.findall(r"@pytest\.fixture\b.*\n(?:@.*\n)*def (\w+)", other)
        return path.parent in file.parents and any(
            re.search(rf"\b{name}\b", text) for name in fixtures
        )

    def _named(self, text: str) -> Iterator[Path]:
        names = {*_DOTTED.findall(text), *_IMPORT.findall(text)}
        for base, imported in _FROM.findall(text):
            names |= {base, *(f"{base}.{name}" for name in re.findall(r"\w+", imported))}
        yield from (path for name, path in self._modules.items() if name in names)

    def _is_program(self, path: Path) -> bool:
        return self._library not in path.parents or path.name == "__main__.py"

    def _imported(self, path: Path) -> set[Path]:
        """Return the modules of the library that a program runs: its own, all that they import."""
        found = {path}
        new = [path]
        while new:
            for name in self._imports(new.pop()):
                module = self._modules.get(name)
                if module and module not in found:
                    found.add(module)
                    new.append(module)
        return found & set(self._modules.values())

    def _imports(self, path: Path) -> Iterator[str]:
        """Yield what may be the names of the modules that a file imports, anywhere in it."""
        for node in _executed(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    folder = path.parents[node.level - 1]
                    base = ".".join(filter(None, [_dotted(self._library, folder), base]))
                yield from (base, *(f"{base}.{alias.name}" for alias in node.names))


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree that Python executes: not those under `if TYPE_CHECKING:`."""
    yield node
    if not is_for_type_checkers(node):
        for child in ast.iter_child_nodes(node):
            yield from _executed(child)


def _dotted(library: Path, path: Path) -> str:
    """Return a module's name for Python."""
    parts = path.relative_to(library.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_named_after(file: Path, module: Path) -> bool:
    words = file.stem.split("_")
    named = module.stem.strip("_").split("_")
    return any(words[at : at + len(named)] == named for at in range(1, len(words)))


def rounds(mutation: Mutation, tests: LineMap, reach: Reach, root: Path) -> list[list[str]]:
    """Return the ids of the tests to run, in two rounds.

    The first are those that run the line. The second, for when those notice nothing, are the others
    in their files (which may share what one of them made) and those in the files that reach the
    module. Files named after the module come first, then those whose tests are quick. The tests of
    a file stay together and in their order.
    """
    reaching = {file.relative_to(root).as_posix(): None for file in reach.files(mutation.module)}
    running = tests.running(mutation)
    files = {test.partition("::")[0] for test in running} | set(reaching)
    others = {test for test in tests.seconds if test.partition("::")[0] in files} - running
    return [_ordered(chosen, tests, mutation.module) for chosen in (running, others) if chosen]


def _ordered(chosen: set[str], tests: LineMap, module: str) -> list[str]:
    by_file: dict[str, list[str]] = {}
    for test in tests.seconds:
        if test in chosen:
            by_file.setdefault(test.partition("::")[0], []).append(test)

    def place(file: str) -> tuple[bool, float, str]:
        mean = sum(tests.seconds[test] for test in by_file[file]) / len(by_file[file])
        return not _is_named_after(Path(file), Path(module)), mean, file

    return [test for file in sorted(by_file, key=place) for test in by_file[file]]
