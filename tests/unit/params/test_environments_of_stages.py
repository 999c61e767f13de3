"""`conda:` and `container:` as the plan hands them on: to Snakemake, or in the command."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sweepmake.params.config import read_config
from sweepmake.plan import Plan, make_plan


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Returns a function that plans a sweep whose stage `t` has these options."""
    monkeypatch.chdir(tmp_path)

    def make(options: str, template: str = "echo {a} {_time}", **config: object) -> Plan:
        Path("params.yaml").write_text(
            f'template: {{t: {template!r}}}\nstage: {{t: {options}}}\n---\na: ["it\'s"]\n'
        )
        return make_plan(read_config(config))

    return make


PROGRAM = '"$(command -v apptainer || command -v singularity || echo apptainer)" exec '


def test_a_container_wraps_the_command(plan) -> None:
    """It is cut where the time goes, and a quote inside stays one."""
    made = plan("{container: 'a b.sif'}", output="/else where")
    (experiment,) = made.experiments
    assert made.command(experiment, "t") == [
        PROGRAM + '--nv --bind "$PWD" --bind "$(realpath \'/else where\')" --pwd "$PWD" '
        "'a b.sif' /bin/bash -c 'echo '\\''it'\\''\"'\\''\"'\\''s'\\'' ",
        "'",
    ]
    assert made.fingerprints(experiment)["t"] in made.message(experiment, "t")


def test_a_stage_without_gpu_asks_for_none_and_a_command_may_be_one_piece(plan) -> None:
    """No --nv, and both quotes in the one piece."""
    made = plan("{container: a.sif, gpu: 0}", "echo 1")
    (piece,) = made.command(next(iter(made.experiments)), "t")
    assert "--nv" not in piece
    assert piece.endswith("a.sif /bin/bash -c 'echo 1'")


def test_the_shell_takes_the_command_apart_again(plan, tmp_path: Path) -> None:
    """What arrives in the image is the command, byte for byte."""
    made = plan("{container: a.sif}")
    pieces = made.command(next(iter(made.experiments)), "t")
    program = tmp_path / "apptainer"
    program.write_text('#!/bin/bash\nshift $(($# - 3)); exec "$@"\n')
    program.chmod(0o755)
    (tmp_path / "output").mkdir()
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    shown = subprocess.run(
        ["/bin/bash", "-c", "20260131.235959".join(pieces)],
        env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert shown == "it's 20260131.235959\n"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("my-env", "my-env"),
        ("env.yaml", "{}/env.yaml"),
        ("env.yml", "{}/env.yml"),
        ("envs/mine", "{}/envs/mine"),
        ("/opt/env", "/opt/env"),
        ("a{{b}}.yaml", "{}/a{{{{b}}}}.yaml"),
    ],
)
def test_snakemake_gets_paths_from_the_root(
    plan, tmp_path: Path, written: str, expected: str
) -> None:
    """It would look for others beside the rules; a name stays a name, braces stay braces."""
    made = plan(f"{{conda: '{written.format()}'}}")
    assert made.conda(made.sweep.stages[0]) == expected.format(tmp_path)


def test_an_environment_that_is_not_used_is_named(plan) -> None:
    """Only where a stage has one and conda is not switched on."""
    assert plan("{gpu: 1}").ignored_conda([]) is None
    made = plan("{conda: a}")
    assert made.ignored_conda(["CONDA", "APPTAINER"]) is None
    assert "environment of 't' is not used" in str(made.ignored_conda(["APPTAINER"]))
    assert plan("{gpu: 1}").conda(plan("{gpu: 1}").sweep.stages[0]) is None
