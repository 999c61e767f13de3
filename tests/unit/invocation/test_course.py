"""What is done when an invocation is planned, starts and ends, with a Snakemake that is made up."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from sweepmake.errors import SweepmakeError
from sweepmake.invocation.course import Asked, Course, Sweep
from sweepmake.params.config import read_config
from sweepmake.plan import make_plan
from sweepmake.results.study import study_of_plan

PARAMS = "template: {train: 'true', test: 'true'}\nresource: [4, 5]\n---\na: [1]\n"
RUNNING = r"another workflow \(process \d+, since \d\d:\d\d\) is running this sweep"
JOBS = {"train": 1, "test": 1, "total": 2}


class Engine:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.offered: list[tuple[str, int]] = []
        self.hidden: set[str] = set()

    def offer(self, resource: str, amount: int) -> None:
        self.offered.append((resource, amount))

    def hide_job_events(self, rules: Collection[str], stages: Collection[str]) -> bool:
        self.hidden.update(rules)
        return True

    def lift_rate_limit(self) -> None:
        pass

    def locks(self) -> list[str]:
        return []


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    Path("params.yaml").write_text(PARAMS)
    return tmp_path


def sweep(prefix: str = "", **config: str) -> Sweep:
    plan = make_plan(read_config(config))
    own = ["train", "test", "build_workbook", "results", "stages"]
    return Sweep(
        study=study_of_plan(plan),
        plan=plan,
        config=str(config),
        results=["touch", "made", "--"],
        rules={prefix + name: name for name in own},
        stages={f"{prefix}{name}": name for name in own[:2]},
    )


def course(*sweeps: Sweep) -> tuple[Course, dict[str, str], Engine]:
    environment = {"SWEEPMAKE_SLOTS": "of another invocation"}
    made = Course(environment)
    for one in sweeps:
        made.add(one)
    return made, environment, Engine()


def test_nothing_is_told_before_the_first_job() -> None:
    """Not even what an older invocation has left in the environment."""
    made, environment, engine = course(sweep())
    made.planned(Asked(), engine)
    assert environment == {}
    assert engine.offered == [("gpu", 2)]
    made.started(JOBS, engine)
    assert environment["SWEEPMAKE_SLOTS"] == "4;5"
    assert environment["SWEEPMAKE_FORCE"] == ""
    assert engine.hidden == {"train", "test", "build_workbook", "results", "stages"}


def test_what_is_forced_is_told_by_stage() -> None:
    """Also where the user of a module has renamed the rules."""
    made, environment, engine = course(sweep("my_"))
    made.planned(Asked(forced=frozenset({"my_train", "some/file"})), engine)
    made.started({"my_train": 1}, engine)
    assert environment["SWEEPMAKE_FORCE"] == "some/file\ntrain"
    made.planned(Asked(everything=True), engine)
    made.started({"my_train": 1}, engine)
    assert environment["SWEEPMAKE_FORCE"] == "*"


@pytest.mark.parametrize("asked", [Asked(dry=True), Asked(targets=frozenset({"results"}))])
def test_what_starts_no_run_makes_no_claim(asked: Asked, folder: Path) -> None:
    """-n, and the results of what is there."""
    made, environment, engine = course(sweep())
    made.planned(asked, engine)
    made.started({"results": 1}, engine)
    assert not (folder / ".snakemake").exists()
    assert not (folder / "output").exists()
    assert "SWEEPMAKE_SLOTS" not in environment


def test_a_living_workflow_is_named_before_anything_starts() -> None:
    """Whatever of the sweep is asked for; what belongs to others is let through until it runs."""
    first, _, engine = course(sweep())
    first.planned(Asked(), engine)
    for targets in ({"train"}, {"output/A_1/.sweepmake/test.done"}, {"mine", "results/x.pdf"}, ()):
        second, _, _ = course(sweep())
        with pytest.raises(
            SweepmakeError, match=r"another workflow \(process \d+, since \d\d:\d\d\) is running"
        ):
            second.planned(Asked(targets=frozenset(targets)), engine)
    other, environment, _ = course(sweep())
    other.planned(Asked(targets=frozenset({"mine"})), engine)
    other.started({"mine": 1}, engine)
    assert "SWEEPMAKE_SLOTS" not in environment
    with pytest.raises(SweepmakeError, match="another workflow"):
        other.started({"mine": 1, "train": 1}, engine)


def test_a_workflow_that_runs_nothing_of_the_sweep_lets_go_of_it(folder: Path) -> None:
    """The claim is free again while the others' jobs run."""
    first, _, engine = course(sweep())
    first.planned(Asked(targets=frozenset({"mine"})), engine)
    first.started({"mine": 1}, engine)
    assert (folder / "output/.sweepmake/.claim").read_text() == ""
    second, _, _ = course(sweep())
    second.planned(Asked(), engine)


def test_reading_the_same_sweep_twice_is_one_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    """`use rule train from … as mine with:` reads the Snakefile again, under other names."""
    made, _, engine = course(sweep(), sweep("my_"))
    made.planned(Asked(), engine)
    made.started({"train": 1, "my_train": 1}, engine)
    made.ended()
    assert {"train", "my_train"} <= engine.hidden
    said = capsys.readouterr().err
    assert said.count("GPU slots: 4 5") == 1
    assert "2 runs, 2 to do" in said
    assert said.count("Runs:") == 1


def test_sweeps_of_one_workflow_have_one_set_of_slots() -> None:
    """Their runs share one environment: other slots are an error, and nothing is published."""
    made, environment, engine = course(sweep("a_"), sweep("b_", output="b", results="r"))
    made.planned(Asked(forced=frozenset({"a_train", "b_test"})), engine)
    made.started({"a_train": 1, "b_train": 1}, engine)
    assert environment["SWEEPMAKE_SLOTS"] == "4;5"
    assert {"train", "test"} <= set(environment["SWEEPMAKE_FORCE"].split("\n"))
    other = sweep("b_", output="d", results="r", gpus="0 1")
    made, environment, engine = course(sweep("a_", output="c"), other)
    made.planned(Asked(), engine)
    with pytest.raises(SweepmakeError, match="share its GPU slots, and these differ"):
        made.started({"a_train": 1, "b_train": 1}, engine)
    assert environment == {}


def test_on_a_cluster_gpus_are_not_counted_here() -> None:
    """Its scheduler knows how many there are."""
    made, _, engine = course(sweep())
    made.planned(Asked(local=False), engine)
    made.started(JOBS, engine)
    assert engine.offered == []
    assert engine.hidden == set()


def test_results_that_no_job_has_made_are_made_at_the_end(folder: Path) -> None:
    """Where the workbook's rule was to run and did not; not where it has run, or was not to."""
    made, _, engine = course(sweep())
    made.planned(Asked(cores=3), engine)
    made.started(JOBS, engine)
    made.ended()
    assert not (folder / "made").exists()
    made.started(JOBS | {"build_workbook": 1}, engine)
    made.ended()
    assert (folder / "made").exists()
    assert (folder / "3").exists()
    (folder / "made").unlink()
    (folder / "results/.sweepmake/experiments.done").touch()
    made.started(JOBS | {"build_workbook": 1}, engine)
    made.ended()
    assert not (folder / "made").exists()


def test_a_run_that_nobody_saw_coming_is_claimed_before_it_starts(folder: Path) -> None:
    """`results` asks for no run; should one be planned all the same, it gets all it needs."""
    made, environment, engine = course(sweep())
    made.planned(Asked(targets=frozenset({"results"})), engine)
    made.started({"results": 1, "train": 1}, engine)
    assert environment["SWEEPMAKE_SLOTS"] == "4;5"
    assert (folder / "output/.sweepmake/.claim").read_text() != ""


def test_two_sweeps_cannot_have_one_folder(folder: Path) -> None:
    """By whatever name: each would take the other's claim for that of another workflow."""
    (folder / "output").mkdir()
    (folder / "link").symlink_to("output")
    for other in ("output", "./output", "link", str(folder / "output")):
        with pytest.raises(SweepmakeError, match="sweeps of one workflow have the output folder"):
            course(sweep("a_"), sweep("b_", output=other, results="elsewhere"))
    with pytest.raises(SweepmakeError, match="have the results folder 'results'"):
        course(sweep("a_"), sweep("b_", output="elsewhere"))


def test_what_is_forced_beside_the_results_is_claimed_at_once(folder: Path) -> None:
    """A run is forced, so one will start."""
    made, _, engine = course(sweep())
    forced = frozenset({"output/A_1/.sweepmake/train.done"})
    made.planned(Asked(targets=frozenset({"results"}), forced=forced), engine)
    assert (folder / "output/.sweepmake/.claim").read_text() != ""


@pytest.mark.parametrize("asked", ["targets", "forced"])
def test_a_result_by_its_own_name_is_explained(asked: str) -> None:
    """As a target, and as what is forced."""
    made, _, engine = course(sweep())
    with pytest.raises(SweepmakeError, match="is no target of its own"):
        made.planned(Asked(**{asked: frozenset({"results/experiments.xlsx"})}), engine)
