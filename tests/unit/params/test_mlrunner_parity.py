"""The same params.yaml gives the same experiments and commands as the real mlrunner."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

import pytest

from sweepmake.params.commands import fill
from sweepmake.params.sweep import read_sweep

FILES = sorted((Path(__file__).parents[1].parent / "data" / "params").glob("*.yaml"))


def mlrunner_tasks(file: Path, **options: Any) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
    """mlrunner's own experiments: name, parameters, and each stage's command."""
    pytest.importorskip("mlrunner")
    run = importlib.import_module("mlrunner.run")
    config = importlib.import_module("mlrunner.utils.config")
    given = {"title": None, "command": None, "sample": None, **options}
    args = argparse.Namespace(
        yaml=str(file), output="output", resource="", no_subdir=False, debug=False, **given
    )
    _, templates, aliases, defaults, choices = config.load_yaml(args)
    tasks = []
    for task in run.build_tasks(args, templates, aliases, defaults, choices):
        spec = {key: value for key, value in task["spec"].items() if key[0] != "_"}
        scripts = {
            stage: script[: script.rindex(" > ")].strip()
            for stage, script in task["scripts"].items()
        }
        tasks.append((task["spec"]["_name"], spec, scripts))
    return tasks


def our_tasks(file: Path, **options: Any) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
    """The same of Sweepmake."""
    sweep = read_sweep(file, **options)
    templates = {stage.name: stage.template for stage in sweep.stages}
    return [
        (
            experiment.name,
            experiment.parameters,
            {
                stage: "".join(
                    fill(
                        templates[stage],
                        experiment.parameters,
                        name=experiment.name,
                        output=f"output/{experiment.name}",
                    )
                ).strip()
                for stage in experiment.stages
            },
        )
        for experiment in sweep.experiments
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_experiments_names_and_commands_are_mlrunners(file: Path) -> None:
    """Every file in tests/data/params gives what mlrunner makes of it, in its order."""
    assert our_tasks(file) == mlrunner_tasks(file)


def test_titles_and_stages_select_as_in_mlrunner() -> None:
    """-t and -c of mlrunner are `titles` and `stages`."""
    file = next(file for file in FILES if file.stem == "everything")
    assert our_tasks(file, titles=["size"]) == mlrunner_tasks(file, title="size")
    ours = our_tasks(file, stages=["test", "train"])
    assert ours == mlrunner_tasks(file, command=["test", "train"])
