"""The library's imports run one way, as CONTRIBUTING.md's table of modules says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LIBRARY = REPOSITORY / "workflow" / "sweepmake"
MODULES = sorted(
    str(path.relative_to(LIBRARY).with_suffix(""))
    for path in LIBRARY.rglob("*.py")
    if not path.name.startswith("__")
)


def table() -> list[list[str]]:
    """Return the modules of each line of the table."""
    lines = re.findall(r"^\| (`.*?) \|.*\|$", (REPOSITORY / "CONTRIBUTING.md").read_text(), re.M)
    return [re.findall(r"`([^`]+)`", first) for first in lines]


def place(module: str) -> int:
    """Return the line on which a module stands."""
    found = [
        at
        for at, row in enumerate(table())
        if any(fnmatch(module, f"{name}*" if name.endswith("/") else name) for name in row)
    ]
    assert found, f"{module} is missing in CONTRIBUTING.md's table"
    return found[0]


def imports(module: str) -> Iterator[str]:
    """Yield the modules of the library that a module imports as it is imported itself."""
    for node in ast.parse((LIBRARY / f"{module}.py").read_text()).body:
        if not isinstance(node, ast.ImportFrom):
            continue
        base = node.module or ""
        if node.level:
            folder = Path(module).parents[node.level - 1]
            base = f"sweepmake.{folder}.{base}".replace("/", ".").replace("...", ".").rstrip(".")
        if base.split(".")[0] == "sweepmake":
            inside = base.removeprefix("sweepmake").strip(".").replace(".", "/")
            names = [f"{inside}/{alias.name}".lstrip("/") for alias in node.names]
            yield from (name for name in [inside, *names] if name in MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_stands_above_it(module: str) -> None:
    """Or beside it, on the same line of the table."""
    late = [name for name in imports(module) if place(name) > place(module)]
    assert not late, f"{module} imports {late}, which stand below it"


def test_imports_are_found() -> None:
    """Of both kinds: by the package's name, and relative ones."""
    assert "aggregate/columns" in list(imports("aggregate/outcomes"))
    assert "replacing" in list(imports("logs/history"))
    assert "records" in list(imports("session"))
