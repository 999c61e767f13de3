"""What a stage may say about a run's work: success, patterns, silence, retries, resumption."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from sweepmake.errors import InputError
from sweepmake.params.commands import fill, parse_template
from sweepmake.params.config import read_config
from sweepmake.params.guard_keys import SilenceKeys, SuccessKeys
from sweepmake.params.sweep import Stage, read_sweep
from sweepmake.plan import Plan, make_plan

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "workflow/schemas/params.schema.json").read_text(encoding="utf-8"))


def write(tmp_path: Path, stage: str, template: str = "t.py {a} {_resume}") -> Path:
    """Write a params.yaml of one stage."""
    path = tmp_path / "params.yaml"
    path.write_text(f"template: {{train: '{template}'}}\nstage: {stage}\n---\na: [1, '*']\n")
    return path


def stage_of(tmp_path: Path, stage: str, template: str = "t.py {a}") -> Stage:
    """Return what is read of its only stage."""
    return read_sweep(write(tmp_path, stage, template)).stages[0]


def plan_of(tmp_path: Path, stage: str, template: str, **config: object) -> Plan:
    """Return the plan of such a file."""
    return make_plan(read_config({"params": str(write(tmp_path, stage, template)), **config}))


def guard(plan: Plan, experiment: str = "A_1") -> dict[str, object]:
    """Return what the stage runner is told of a run."""
    marked = plan._guards(experiment, plan.sweep.stages[0])
    texts = [word.removeprefix("--guard=") for word in marked if word.startswith("--guard=")]
    told: dict[str, object] = json.loads(texts[0]) if texts else {}
    return told


def test_each_key_is_read(tmp_path: Path) -> None:
    """One value or a list where there may be several; `silence` alone is its minutes."""
    written = (
        "{train: {success: {files: [a, 'b,c'], pattern: done, metric: loss}, fail_on: nan, "
        "silence: 30, retry_on: [gpu oom, node], pipefail: true}}"
    )
    stage = stage_of(tmp_path, written)
    assert stage.success == SuccessKeys(("a", "b,c"), "done", ("loss",))
    assert stage.fail_on == ("nan",)
    assert stage.silence == SilenceKeys(30, False)
    assert stage.retry_on == ("gpu oom", "node")
    assert stage.pipefail
    both = stage_of(tmp_path, "{all: {silence: {minutes: 5, end: true}, fail_on: [a, b]}}")
    assert (both.silence, both.fail_on) == (SilenceKeys(5, True), ("a", "b"))


@pytest.mark.parametrize(
    ("stage", "template", "message", "told"),
    [
        ("{train: {success: {}}}", "t.py {a}", "expected a mapping, found an empty mapping", True),
        ("{train: {success: {pattern: '('}}}", "t.py {a}", "is not a regular expression", False),
        ("{train: {fail_on: 'x*'}}", "t.py {a}", "matches everywhere", False),
        ("{train: {fail_on: []}}", "t.py {a}", "expected a regular expression", True),
        ("{train: {silence: 0}}", "t.py {a}", "expected a whole number of at least 1", True),
        ("{train: {silence: {end: true}}}", "t.py {a}", "there is no 'minutes'", True),
        ("{train: {retry_on: [oomm]}}", "t.py {a}", "expected oom, gpu oom, node", True),
        ("{train: {resume: -r}}", "t.py {a} {_resume}", "has 'resume' without 'resume_if'", True),
        ("{train: {resume: -r, resume_if: x}}", "t.py {a}", "its template has no {_resume}", False),
        ("{all: {gpu: 1}}", "t.py {a} {_resume}", "nothing says what that stands for", False),
        ("{train: {resume: -r, resume_if: x}}", 't.py {a} "{_resume}"', "cannot stand here", False),
        ("{train: {resume: -r, resume_if: '{b}'}}", "t.py {a} {_resume}", "placeholder {b}", False),
        ("{train: {success: {files: '{_out}'}}}", "t.py {a}", "did you mean '_output'?", False),
    ],
)
def test_a_mistake_is_told(
    tmp_path: Path, stage: str, template: str, message: str, told: bool
) -> None:
    """With its line, and by the schema where that can know it."""
    with pytest.raises(InputError) as caught:
        stage_of(tmp_path, stage, template)
    assert message in str(caught.value)
    assert caught.value.line in (1, 2)
    document = yaml.safe_load(f"template: {{train: x}}\nstage: {stage}\n")
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(document) is not told


def test_an_empty_resume_leaves_nothing(tmp_path: Path) -> None:
    """So that adding it to a template runs nothing again; the blank comes with it."""
    plain = plan_of(tmp_path, "{train: {gpu: 0}}", "t.py {a} --x")
    told = "{train: {resume: '--from {_output}/a {a}', resume_if: '{_output}/{a}.pt'}}"
    with_it = plan_of(tmp_path, told, "t.py {a} {_resume} --x")
    assert plain.command("A_1", "train") == with_it.command("A_1", "train") == ["t.py 1 --x"]
    assert guard(plain) == {}
    assert guard(with_it) == {
        "resume": ["t.py 1 --from output/A_1/a 1 --x"], "resume_if": "output/A_1/1.pt"
    }  # fmt: skip
    assert guard(with_it, "A_*")["resume_if"] == "output/A_[*]/[*].pt"


def test_a_resumed_command_has_its_times(tmp_path: Path) -> None:
    """{_time} may stand in both; an escaped blank before {_resume} is no blank."""
    template = parse_template(r"a {_time}\ {_resume} b", ())
    resume = parse_template("c {_time} d", ())
    assert fill(template, {}, name="", output="") == ("a ", r"\  b")
    assert fill(template, {}, name="", output="", resume=resume) == ("a ", r"\ c ", " d b")


def test_limits_are_told_where_they_are_enforced(tmp_path: Path) -> None:
    """Else they are hints for a cluster, as they were."""
    stage = "{train: {runtime: 5, mem_mb: 100}}"
    assert guard(plan_of(tmp_path, stage, "t.py {a}")) == {}
    enforced = plan_of(tmp_path, stage, "t.py {a}", limits="enforce")
    assert guard(enforced) == {"runtime": 5, "mem_mb": 100}


def test_a_container_has_its_pipefail_inside(tmp_path: Path) -> None:
    """The offset is that of the command behind the container's start."""
    plan = plan_of(tmp_path, "{train: {pipefail: true, container: a.sif}}", "t.py {a} | cat")
    (option,) = plan._guards("A_1", plan.sweep.stages[0])
    at = int(option.removeprefix("--pipefail="))
    assert plan.command("A_1", "train")[0][at:] == "t.py 1 | cat'"


def test_a_metric_of_success_has_its_pattern(tmp_path: Path) -> None:
    """Another name is one that the readers find, read as `logs` of config.yaml says."""
    plan = plan_of(
        tmp_path, "{train: {success: {metric: [bleu, loss]}}}", "t.py {a}",
        metric={"bleu": "BLEU = (.*)"}, logs={"reader": "pairs", "clean": True},
    )  # fmt: skip
    assert guard(plan)["metric"] == {
        "names": ["bleu", "loss"],
        "patterns": [["bleu", "train", "BLEU = (.*)", "last"]],
        "options": {"reader": "pairs"},
    }


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("t.py {a} | tee log", ["| tee"]),
        ("t.py {a} 2>&1 |& tee -a x && echo", ["|& tee"]),
        ("(t.py {a} | grep -v y) | tee z", ["| grep", "| tee"]),
        ("CUDA=1 nohup t.py {a} | ./format.sh", ["| ./format.sh"]),
        ("if true; then t.py {a} | tee x; fi", ["| tee"]),
        ("cat {a} | t.py", []),
        ("t.py {a} || t.py {a} &> log", []),
        ("t.py {a} >| log; t.py > >(tee {a})", []),
        ('echo $(t.py {a} | tail -1) "| tee"', []),
        ("set -o pipefail; t.py {a} | tee log", []),
        ("cat x | grep {a}", []),
    ],
)
def test_a_pipe_that_hides_a_failure_is_seen(template: str, shown: list[str]) -> None:
    """Outside quotes, where what comes last is not what does the work."""
    assert [pipe.text for pipe in parse_template(template, ["a"]).pipes] == shown


def test_the_warning_names_the_line(tmp_path: Path) -> None:
    """One for all; none with pipefail."""
    path = tmp_path / "params.yaml"
    text = (
        "template:\n  a: >\n    x {a}\n      | tee log\n  b: x {a} | tee log\n"
        "stage: {b: {STAGE}}\n---\na: 1\n"
    )
    path.write_text(text.replace("STAGE", "gpu: 1"))
    warning = make_plan(read_config({"params": str(path)})).hidden_failures()
    assert warning is not None
    assert warning.endswith(f"{path}:4 (a: | tee), {path}:5 (b: | tee)")
    path.write_text(text.replace("STAGE", "pipefail: true"))
    warning = make_plan(read_config({"params": str(path)})).hidden_failures()
    assert warning is not None
    assert "(b:" not in warning
