"""The library's rooms import one way, as CONTRIBUTING.md's map of rooms says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LIBRARY = REPOSITORY / "workflow" / "sweepmake"
MODULES = sorted(
    str(path.relative_to(LIBRARY).with_suffix("")).removesuffix("/__init__")
    for path in LIBRARY.rglob("*.py")
    if path.parent != LIBRARY or not path.name.startswith("__")
)


def rooms() -> list[list[str]]:
    """Return the rooms and modules of each line of the map, from the bottom of the house up."""
    lines = re.findall(r"^\| (`.*?) \|.*\|$", (REPOSITORY / "CONTRIBUTING.md").read_text(), re.M)
    return [[name.strip("/") for name in re.findall(r"`([^`]+)`", first)] for first in lines]


def line_of(module: str) -> int:
    """Return the line of the map on which a module's room stands: the longest name that fits."""
    found = [
        (len(name), at)
        for at, names in enumerate(rooms())
        for name in names
        if module == name or module.startswith(f"{name}/")
    ]
    assert found, f"{module} is missing in CONTRIBUTING.md's map of rooms"
    return max(found)[1]


def room_of(module: str) -> str:
    """Return the room of a module: the longest name of the map that fits."""
    names = [name for line in rooms() for name in line]
    return max((n for n in names if module == n or module.startswith(f"{n}/")), key=len)


def imports(module: str) -> Iterator[str]:
    """Yield the modules of the library that a module imports, inside functions too."""
    path = LIBRARY / f"{module}.py"
    tree = ast.parse((path if path.exists() else LIBRARY / module / "__init__.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from known(alias.name.removeprefix("sweepmake.").replace(".", "/"))
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            assert not node.level, f"{module}: imports are absolute, so that a move finds them"
            if base.split(".")[0] == "sweepmake":
                inside = base.removeprefix("sweepmake").strip(".").replace(".", "/")
                for name in (inside, *(f"{inside}/{a.name}".lstrip("/") for a in node.names)):
                    yield from known(name)


def known(name: str) -> Iterator[str]:
    """Yield a name that is a module of the library."""
    if name in MODULES:
        yield name


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_rooms_below_its_own(module: str) -> None:
    """Or from its own room. What only type checkers import counts as well."""
    mine = room_of(module)
    wrong = [
        name
        for name in imports(module)
        if room_of(name) != mine and line_of(name) >= line_of(module)
    ]
    assert not wrong, f"{module} imports {wrong}, which do not stand below {mine}"


def test_no_two_modules_import_each_other() -> None:
    """Within a room, too, there are no circles."""
    arrows = {module: set(imports(module)) - {module} for module in MODULES}
    left = dict(arrows)
    while left:
        free = [module for module, needs in left.items() if not needs & left.keys()]
        assert free, f"a circle of imports among {sorted(left)}"
        for module in free:
            del left[module]


def test_imports_are_found() -> None:
    """Of every kind: of a module, of a name in one, inside a function."""
    assert "results/columns" in list(imports("results/outcomes"))
    assert "runs/records" in list(imports("invocation/session"))
    assert "outputs/ranks_pdf/ranks" in list(imports("outputs/refresh"))
