"""`conda:` and `container:` of a stage, in real sweeps with a fake conda and a fake apptainer.

The fakes stand for programs that need a network: they write down how they were called. What is real
here is Snakemake, which calls conda as it always does, and the command lines.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from projects import Project

# takes apart what follows `exec` up to the image, and runs the rest
APPTAINER = """\
#!/bin/bash
printf '%s\\0' "$@" >> "$CALLS"; printf '\\n' >> "$CALLS"
shift
while [ "${1#--}" != "$1" ]; do case "$1" in --nv) shift;; *) shift 2;; esac; done
export INSIDE="$1"; shift
exec "$@"
"""

# what Snakemake 9.27 asks of it: its folder, its version, one setting, a new environment
CONDA = """\
#!/bin/bash
echo "$*" >> "$CALLS"
case "$1" in
  info) echo '{"conda_prefix": "'"$FAKE"'", "platform": "linux-64"}';;
  --version) echo 'conda 25.1.0';;
  config) echo '{"get": {"channel_priority": "strict"}}';;
  env) prefix=; while [ $# -gt 0 ]; do [ "$1" = --prefix ] && prefix="$2"; shift; done
       mkdir -p "$prefix/bin"; echo 'echo "a tool of the environment"' > "$prefix/bin/tool"
       chmod +x "$prefix/bin/tool";;
esac
"""
ACTIVATE = 'export CONDA_PREFIX="$1"; PATH="$1/bin:$PATH"\n'


def put(path: Path, text: str) -> None:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def fakes(project: Project) -> Path:
    """A folder of programs, the first on PATH; `calls` in it holds what they were called with."""
    folder = project.folder.parent / "fakes"
    put(folder / "bin/activate", ACTIVATE)
    python = str(Path(sys.executable).parent)
    project.environment = {
        "PATH": f"{folder}/bin:{python}:{os.environ['PATH']}",
        "CALLS": str(folder / "calls"),
        "FAKE": str(folder),
    }
    return folder


def calls(fakes: Path) -> list[list[str]]:
    """What the fake apptainer was called with."""
    lines = (fakes / "calls").read_text().split("\0\n")
    return [line.split("\0") for line in lines if line]


def command_of(project: Project, experiment: str, stage: str) -> dict[str, object]:
    """Return the record of a run."""
    path = project.path(f"output/{experiment}/.sweepmake/{stage}.json")
    return json.loads(path.read_text())  # type: ignore[no-any-return]


SWEEP = """\
template:
  train: echo "$INSIDE" got {text} at {_time} on "$CUDA_VISIBLE_DEVICES" && pwd > {_output}/pwd
  avg: 'echo "inside: $INSIDE"'
stage: {train: {container: 'docker://py torch:2'}, avg: {gpu: 0, CONTAINER}}
resource: ['0,1']
---
text: ["it's $HOME", plain]
"""


def test_a_command_runs_in_its_container(project: Project, fakes: Path) -> None:
    """One argument stays one; folders, GPUs and the time of the run reach it; -n shows it all."""
    put(fakes / "bin/apptainer", APPTAINER)
    project.write(SWEEP.replace("CONTAINER", "threads: 1"))
    planned = project.run("-n")
    assert "exec --nv --bind" in planned.said
    assert "'docker://py torch:2' /bin/bash -c" in planned.said
    done = project.run(cores=1)
    assert done.code == 0, done.said
    made = command_of(project, "Text_plain", "train")
    log = project.path(str(made["log"])).read_text()
    time = str(made["log"]).rpartition("train.")[2]
    assert log == f"docker://py torch:2 got plain at {time} on 0,1\n"
    assert project.path("output/Text_plain/pwd").read_text().strip() == str(project.folder)
    assert (
        "got it's $HOME at" in next(project.path("output").glob("Text_it*/log.train*")).read_text()
    )
    avg = command_of(project, "Text_plain", "avg")
    assert project.path(str(avg["log"])).read_text() == "inside: \n"
    folder, output = str(project.folder), str(project.path("output"))
    for call in calls(fakes):
        assert call[:-1] == ["exec", "--nv", "--bind", folder, "--bind", output, "--pwd", folder,
                             "docker://py torch:2", "/bin/bash", "-c"]  # fmt: skip


def test_a_changed_image_runs_the_stage_again(project: Project, fakes: Path) -> None:
    """And no other before it; a stage without GPU asks for none; Singularity will do."""
    put(fakes / "bin/singularity", APPTAINER)
    project.write(SWEEP.replace("CONTAINER", "container: one.sif"))
    assert project.run().code == 0
    assert "Nothing to be done" in project.run().said
    project.write(SWEEP.replace("CONTAINER", "container: two.sif"))
    done = project.run()
    assert done.code == 0, done.said
    assert [run.split()[0] for run in done.started] == ["avg", "avg"]
    record = command_of(project, "Text_plain", "avg")
    assert project.path(str(record["log"])).read_text() == "inside: two.sif\n"
    assert "--nv" not in calls(fakes)[-1]
    assert "two.sif" in str(record["fingerprint"])


def test_a_missing_container_program_is_named(project: Project, fakes: Path) -> None:
    """As the shell does, with its exit code."""
    project.write(SWEEP.replace("CONTAINER", "threads: 1"))
    done = project.run()
    assert done.code == 1
    assert "exit code 127" in done.said
    assert "apptainer: command not found" in done.said


def test_a_link_to_another_disk_is_bound(project: Project, fakes: Path) -> None:
    """The output folder may be one; inside, what it leads to is there."""
    put(fakes / "bin/apptainer", APPTAINER)
    project.write(SWEEP.replace("CONTAINER", "threads: 1"))
    real = project.folder.parent / "scratch"
    real.mkdir()
    project.path("output").symlink_to(real)
    assert project.run().code == 0
    assert {call[5] for call in calls(fakes)} == {str(real)}


CONDA_SWEEP = """\
template:
  train: tool {a} && basename $CONDA_PREFIX > {_output}/environment
  test: 'echo "${CONDA_PREFIX:-no environment}"'
stage: {train: {conda: envs/train.yaml}}
---
a: [1, 2]
"""


def test_a_stage_runs_in_its_conda_environment(project: Project, fakes: Path) -> None:
    """Snakemake makes it once; the runner outside of it finds its own Python; other stages not."""
    put(fakes / "bin/conda", CONDA)
    project.write(CONDA_SWEEP)
    project.path("envs").mkdir()
    project.path("envs/train.yaml").write_text("dependencies: []\n")
    done = project.run("--sdm", "conda")
    assert done.code == 0, done.said
    assert "warning: without" not in done.said
    record = command_of(project, "A_1", "train")
    assert project.path(str(record["log"])).read_text() == "a tool of the environment\n"
    created = [line for line in (fakes / "calls").read_text().splitlines() if "create" in line]
    assert len(created) == 1
    hashed = project.path("output/A_1/environment").read_text().strip()
    assert f"/.snakemake/conda/{hashed}" in created[0]
    test = command_of(project, "A_1", "test")
    assert project.path(str(test["log"])).read_text() == "no environment\n"
    again = project.run("--sdm", "conda")
    assert "Nothing to be done" in again.said, again.said


def test_an_environment_that_is_not_used_is_named(project: Project, fakes: Path) -> None:
    """Without --sdm conda Snakemake uses none: one line says so, also in a dry run."""
    project.write(CONDA_SWEEP.replace("test:", "other: x\n  test:"))
    said = project.run("-n").said
    warning = "warning: without --sdm conda, the conda environment of 'train' is not used\n"
    assert said.count(warning) == 1
    assert "train: 1/2" in said
