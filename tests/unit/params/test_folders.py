"""The folders that a configuration names: those that cannot be, and those that are not apart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sweepmake.errors import InputError
from sweepmake.params import folders
from sweepmake.params.config import check_folders, read_config
from sweepmake.params.folders import check_apart
from sweepmake.plan import make_plan

SWEEP = "template: {train: 't {x}'}\n---\nx: [1, 2]\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own, and a home."""
    folder, home = tmp_path / "here", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(home))
    return folder


def planned(**config: object) -> None:
    """Read a configuration and its sweep, as the workflow does before anything else."""
    Path("params.yaml").write_text(SWEEP)
    read = read_config(config)
    check_folders(read)
    make_plan(read)


def refused(**config: object) -> str:
    """Return the message; nothing was made."""
    before = sorted(Path().rglob("*"))
    with pytest.raises(InputError) as caught:
        planned(**config)
    assert sorted({*Path().rglob("*")} - {Path("params.yaml")}) == sorted(
        {*before} - {Path("params.yaml")}
    )
    return str(caught.value)


@pytest.mark.parametrize("key", ["output", "results"])
def test_a_folder_that_cannot_be_is_refused(key: str) -> None:
    """A name or a path that is too long, a link that leads nowhere, a NUL, a line break."""
    Path("dangling").symlink_to("nowhere/at/all")
    Path("loop").symlink_to("loop")
    Path("linked").symlink_to(".")
    Path("file").touch()
    for bad, why in (
        ("x" * 300, "a name of 300 bytes is too long for a folder"),
        ("new/" + "é" * 128 + "/x", "a name of 256 bytes is too long for a folder"),
        ("a/" * 2000 + "b", "that is too long for a path"),
        ("dangling", "'dangling' is a link to 'nowhere/at/all', which is not there"),
        ("dangling/x", "'dangling' is a link to 'nowhere/at/all', which is not there"),
        ("loop/x", "'loop' is a link to 'loop', which is not there"),
        ("linked/file/x", "'linked/file' is a file, not a folder"),
        ("a\0b", "it cannot hold braces, <, NUL or line breaks here"),
        ("a\nb", "it cannot hold braces, <, NUL or line breaks here"),
    ):
        said = refused(**{key: bad})
        assert said.startswith(f"config: '{key}' is '")
        assert f"', but {why} (choose another one: --config {key}=FOLDER)" in said
        assert len(said) < 300
    planned(**{key: "x" * 255})
    planned(**{key: "linked/new"})


@pytest.mark.parametrize(
    ("output", "results"),
    [
        ("results", "results"),
        ("runs", "./runs/"),
        ("runs", "new/../runs"),
        ("runs", "link/runs"),
        ("there", "to_there"),
        ("to_there/a/b", "there/a/b"),
        (".", "there/.."),
    ],
)
def test_one_folder_for_both_is_refused(here: Path, output: str, results: str) -> None:
    """Also by a link, `./` or `..`, and where it is not there yet."""
    Path("link").symlink_to(".")
    Path("there").mkdir()
    Path("to_there").symlink_to("there")
    for one, other in ((output, results), (results, output), (str(here / output), results)):
        assert "are one folder (choose another one: --config results=FOLDER)" in refused(
            output=one, results=other
        )


def test_one_folder_in_two_cases_is_refused_where_it_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """File systems of other systems take them for one; here they are two, and that stays."""
    Path("Some").mkdir()
    planned(output="Runs", results="runs")
    planned(output="some", results="Some")
    monkeypatch.setattr(folders, "_ignores_case", lambda folder: True)
    assert "are one folder" in refused(output="Runs/a", results="runs/A")
    assert "of 'X_1'" in refused(output="Runs", results="runs/x_1")


def test_whether_a_folder_ignores_case_is_asked_of_a_name_in_it(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its own where it is empty; two names that differ in case only are two folders here."""
    assert not folders._ignores_case(here)
    Path("a").mkdir()
    Path("A").mkdir()
    assert not folders._ignores_case(here)
    assert not folders._ignores_case(Path("/"))
    asked: list[str] = []

    def one(path: Path, other: Path) -> bool:
        asked.append(f"{path.name} {Path(other).name}")
        return True

    monkeypatch.setattr(Path, "samefile", one)
    assert folders._ignores_case(Path("a").absolute())
    assert folders._ignores_case(here)
    assert asked[0] == "a A"
    assert asked[1] in ("a A", "A a")


@pytest.mark.parametrize(
    ("config", "what"),
    [
        (
            {"results": "output/X_1"},
            "'results' is 'output/X_1', but in 'output' ('output') that is",
        ),
        ({"results": "output/./../output/X_2/"}, "the folder of 'X_2'"),
        ({"results": "output/.sweepmake"}, "the folder of '.sweepmake'"),
        ({"output": "results/X_1"}, "'output' is 'results/X_1', but in 'results' ('results') that"),
        ({"output": "results/X_1", "no_subdir": True}, "the folder of 'X_1'"),
        ({"output": ".", "results": "X_1"}, "the folder of 'X_1'"),
    ],
)
def test_an_experiments_folder_of_the_other_is_refused(config: dict, what: str) -> None:
    """And the folder of records, which both have."""
    assert what in refused(**config)


def test_an_experiments_folder_is_known_behind_a_link() -> None:
    """Whichever of the two is the link."""
    Path("output").mkdir()
    Path("disk").mkdir()
    Path("output/X_1").symlink_to("../disk")
    Path("back").symlink_to("output/X_1")
    for results in ("disk", "back", "output/X_1"):
        assert "the folder of 'X_1'" in refused(results=results)


def test_what_people_have_stays() -> None:
    """Results inside the output folder or above it, beside the experiments."""
    for output, results in (
        ("runs", "runs/results"),
        ("results/runs", "results"),
        (".", "results"),
        ("output", "."),
        ("runs", "runs/X_1/plots"),
        ("a/b", "a/c"),
    ):
        planned(output=output, results=results)
    planned(results="output/X_1", no_subdir=True)


def test_a_tilde_is_the_home_folder(tmp_path: Path) -> None:
    """In every path of the configuration, as a shell has it; elsewhere in a path it is a tilde."""
    home = tmp_path / "home"
    (home / "p.yaml").write_text(SWEEP)
    (home / "logs").mkdir()
    read = read_config(
        {"params": "~/p.yaml", "output": "~/runs/", "results": "~", "logs": {"folder": "~/logs"}}
    )
    assert (read.params, read.output) == (f"{home}/p.yaml", f"{home}/runs")
    assert (read.results, read.log_folder) == (str(home), f"{home}/logs")
    assert read_config({"output": "a/~/b"}).output == "a/~/b"
    assert read_config({"output": "~nobody-of-this-name/b"}).output == "~nobody-of-this-name/b"
    assert "are one folder" in refused(output="~/x", results=f"{home}/x")


def test_a_tilde_in_a_stages_environment_is_the_home_folder(tmp_path: Path) -> None:
    """An environment file or an image may lie there."""
    Path("params.yaml").write_text(
        "template: {a: t, b: t}\n"
        "stage: {a: {conda: ~/e.yaml}, b: {container: ~/i.sif}}\n---\nx: 1\n"
    )
    plan = make_plan(read_config({}))
    a, b = plan.sweep.stages
    assert plan.conda(a) == f"{tmp_path}/home/e.yaml"
    assert b.container == f"{tmp_path}/home/i.sif"


def test_a_folder_that_cannot_be_listed_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a folder that nobody may look into, the paths alone are compared."""
    Path("output").mkdir()

    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    check_apart("output", "results", {"X_1"}, {"X_1"})
    with pytest.raises(InputError, match="X_1"):
        check_apart("output", "output/X_1", {"X_1"}, {"X_1"})
