"""The writing of adopted runs: what a kill in the middle, or a closed folder, leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from sweepmake.elsewhere.left_runs import look
from sweepmake.errors import InputError
from sweepmake.invocation import adoption
from sweepmake.invocation.course import Asked, Course, Sweep
from sweepmake.params.config import read_config
from sweepmake.plan import Plan, make_plan
from sweepmake.results.study import study_of_plan

PARAMS = "template: {train: 't {lr}', test: 'e'}\n---\nlr: [0.1, 0.12345671]\n"


class Engine:
    """Does nothing of what it is told."""

    def offer(self, resource: str, amount: int) -> None: ...

    def lift_rate_limit(self) -> None: ...

    def hide_job_events(self, rules: object, stages: object) -> bool:
        return True


@pytest.fixture(autouse=True)
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two experiments that mlrunner finished, one under a name that ours is not."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS)
    for name, lr in (("Lr_0.1", 0.1), ("Lr_0.123457", 0.12345671)):
        folder = Path("output", name)
        folder.mkdir(parents=True)
        scripts = ""
        for stage, command in (("train", f"t {lr}"), ("test", "e")):
            log = f"{folder}/log.{stage}.20220101.000000"
            Path(log).touch()
            scripts += f"  {stage}: CUDA_VISIBLE_DEVICES=0 {command} > {log} 2>&1\n"
        (folder / "param").write_text(f"_scripts:\n{scripts}lr: {lr}\n")
        (folder / "stat").write_text("test: finished\ntrain: finished\n")


def plan() -> Plan:
    return look(make_plan(read_config({})))


def sweep() -> Sweep:
    made = plan()
    names = {name: name for name in ("train", "test", "results")}
    return Sweep(study_of_plan(made), made, "{}", [], names, {"train": "train", "test": "test"})


@pytest.mark.parametrize("writes", range(4))
def test_a_kill_in_the_middle_loses_nothing(writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start adopts the rest, in the same folders; none is taken for new."""
    done = []
    real = adoption._write

    def write(plan: Plan, name: str, stage: str, record: Mapping[str, object]) -> None:
        if len(done) == writes:
            raise KeyboardInterrupt
        done.append(stage)
        real(plan, name, stage, record)

    with monkeypatch.context() as killed:
        killed.setattr(adoption, "_write", write)
        with pytest.raises(KeyboardInterrupt):
            adoption.adopt(plan())
    rest = plan()
    assert list(rest.experiments) == ["Lr_0.1", "Lr_0.123457"]
    assert sum(map(len, rest.kept.found.values())) == 4 - writes
    adoption.adopt(rest)
    assert all(
        Path(rest.marker(n, s)).exists() for n in rest.experiments for s in ("train", "test")
    )
    assert plan().kept.found == {}


def test_a_folder_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, before anything starts."""

    def refuse(path: str, text: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(adoption, "write_atomically", refuse)
    with pytest.raises(InputError, match=r"cannot be adopted: '.*train\.json': Permission denied"):
        adoption.adopt(plan())


@pytest.mark.parametrize("asked", [Asked(dry=True), Asked(targets=frozenset({"results"}))])
def test_what_starts_no_run_adopts_none(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    """-n says what would be adopted; the target `results` says nothing of it."""
    course = Course({})
    course.add(sweep())
    course.planned(asked, Engine())
    assert list(Path("output").rglob(".sweepmake")) == []
    assert ("4 finished runs of 2 experiments would be" in capsys.readouterr().err) is asked.dry


def test_only_the_holder_of_the_folder_adopts(capsys: pytest.CaptureFixture[str]) -> None:
    """A second workflow, asked for something else, leaves the sweep to the first."""
    first, second = Course({}), Course({})
    made = sweep()
    made.stages = {}
    second.add(sweep())
    first.add(made)
    first.planned(Asked(), Engine())
    assert "are adopted" in capsys.readouterr().err
    (marker,) = Path("output/Lr_0.1").rglob("train.done")
    marker.unlink()
    second.planned(Asked(targets=frozenset({"mine"})), Engine())
    assert not marker.exists()
