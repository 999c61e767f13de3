"""What the programs in scripts/ share, and the one that writes the schemas."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import pytest

from sweepmake.errors import SweepmakeError
from sweepmake.params import schema
from sweepmake.program import CONFIG, Argument, run_program

ROOT = Path(__file__).resolve().parents[2]


def called(monkeypatch: pytest.MonkeyPatch, *given: str) -> argparse.Namespace:
    """Return what a program's main gets."""
    found = []
    arguments = [
        Argument("--name", "a name", default="x"),
        Argument.of_json("--parts", "the parts"),
    ]
    monkeypatch.setattr(sys, "argv", ["program", *given])
    run_program(found.append, CONFIG, *arguments, description="Does it.")
    (one,) = found
    return one


def test_a_program_gets_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is JSON comes as what it says; the configuration has to be there."""
    found = called(monkeypatch, "--config", '{"a": 1}', "--parts", '{"b": [2]}')
    assert (found.config, found.name, found.parts) == ('{"a": 1}', "x", {"b": [2]})
    assert called(monkeypatch, "--config", "{}").parts == {}
    with pytest.raises(SystemExit):
        called(monkeypatch)


def test_the_help_of_a_program_explains_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit):
        called(monkeypatch, "--help")
    said = capsys.readouterr().out
    for words in ("Does it.", "the whole configuration, as JSON", "the parts, as JSON", "a name"):
        assert words in said


@pytest.mark.parametrize(
    ("error", "words"),
    [(SweepmakeError("no slots"), "error: no slots"),
     (FileNotFoundError(2, "No such file", "a"), "error: 'a': No such file")],
)  # fmt: skip
def test_what_is_wrong_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def fail(_: argparse.Namespace) -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["program"])
    with pytest.raises(SystemExit) as ended:
        run_program(fail, description=None)
    assert ended.value.code == words


def test_the_schemas_and_tables_are_written_as_they_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the models; a table that is another one is replaced, the text around it stays."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="start it in the repository's root"):
        schema.main()
    (tmp_path / "workflow/schemas").mkdir(parents=True)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    readme = (ROOT / "config/README.md").read_text(encoding="utf-8")
    first = schema.rows(schema.TABLES[0])
    (tmp_path / "config/README.md").write_text(readme.replace(f"{first[-1]}\n", "| old |\n"))
    schema.main()
    assert (tmp_path / "config/README.md").read_text(encoding="utf-8") == readme
    for name in ("config", "params"):
        path = f"workflow/schemas/{name}.schema.json"
        assert (tmp_path / path).read_text() == (ROOT / path).read_text()
    (tmp_path / "config/README.md").write_text("nothing\n")
    with pytest.raises(SystemExit, match=r"config/README.md has no table that begins with \|"):
        schema.main()
