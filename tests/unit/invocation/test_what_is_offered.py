"""What the course tells Snakemake and the user beside the claims: GPUs, warnings, pandas."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from test_course import JOBS, Engine, course, folder, sweep

from sweepmake.errors import InputError, SweepmakeError
from sweepmake.invocation import session
from sweepmake.invocation.course import Asked

__all__ = ["folder"]  # the fixture


def test_more_gpus_than_there_are_slots_are_told_and_not_offered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """So many runs start as there are slots; the user reads why."""
    made, environment, engine = course(sweep())
    made.planned(Asked(gpu=5), engine)
    assert engine.offered == [], "the user has said how many"
    made.started(JOBS, engine)
    assert engine.offered == [("gpu", 2)]
    assert environment["SWEEPMAKE_SLOTS"] == "4;5"
    said = capsys.readouterr().err
    assert "warning: --resources gpu=5, but there are only 2 slots" in said


def test_as_many_gpus_as_were_asked_for_need_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    made, _, engine = course(sweep())
    made.planned(Asked(gpu=2), engine)
    made.started(JOBS, engine)
    assert engine.offered == []
    assert "warning" not in capsys.readouterr().err


def test_a_stage_of_several_gpus_is_offered_them_all() -> None:
    """Snakemake would lower what the stage asks for, were fewer units offered."""
    Path("params.yaml").write_text(
        "template: {train: 'true', test: 'true'}\nresource: [4]\nstage: {test: {gpu: 3}}\n"
        "---\na: [1]\n"
    )
    made, _, engine = course(sweep())
    made.planned(Asked(), engine)
    assert engine.offered == [("gpu", 3)]


def test_without_slots_of_its_own_a_machine_has_one_for_each_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Or as many as --resources gpu= says."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("PATH", "")
    Path("params.yaml").write_text("template: {train: 'true', test: 'true'}\n---\na: [1]\n")
    for asked, count in ((Asked(cores=3), 3), (Asked(cores=3, gpu=2), 2)):
        made, environment, engine = course(sweep())
        made.planned(asked, engine)
        made.started(JOBS, engine)
        assert len(environment["SWEEPMAKE_SLOTS"].split(";")) == count
        made._sweeps[0].claims.release()


def test_pandas_is_imported_ahead_of_runs_on_this_machine_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a cluster runs them, the slots of nobody wait for it."""
    asked: list[bool] = []
    monkeypatch.setattr(session, "import_ahead", lambda: asked.append(True))
    for local, count in ((False, 0), (True, 1)):
        made, _, engine = course(sweep())
        made.planned(Asked(local=local), engine)
        made.started(JOBS, engine)
        assert len(asked) == count
        made._sweeps[0].claims.release()


def test_the_params_are_kept_when_runs_start_and_not_before(folder: Path) -> None:
    made, _, engine = course(sweep())
    made.planned(Asked(), engine)
    assert not (folder / "output/params.yaml").exists()
    made.started(JOBS, engine)
    assert (folder / "output/params.yaml").read_text() == (folder / "params.yaml").read_text()


def test_of_several_wrong_targets_the_first_of_the_alphabet_is_named() -> None:
    """The same one each time."""
    made, _, engine = course(sweep())
    wrong = frozenset({"results/experiments.xlsx", "results/comparison.pdf"})
    with pytest.raises(InputError, match=r"'results/comparison.pdf' is no target of its own") as at:
        made.planned(Asked(targets=wrong), engine)
    assert at.value.hint is not None
    assert "snakemake --cores 4 results makes it" in at.value.hint


def test_results_that_cannot_be_written_are_told_before_any_run(folder: Path) -> None:
    """And another folder is proposed."""
    made, _, engine = course(sweep())
    made.planned(Asked(), engine)
    (folder / "results").write_text("a file is in the way")
    with pytest.raises(InputError, match="cannot be written to") as caught:
        made.started({**JOBS, "build_workbook": 1}, engine)
    assert caught.value.hint == "choose another one: --config results=FOLDER"


def test_only_what_was_made_since_the_plan_is_this_invocation_s(folder: Path) -> None:
    """A table that is older is made again, at the end of an invocation in which runs failed."""
    made, _, engine = course(sweep())
    done = folder / "results/.sweepmake/experiments.done"
    done.parent.mkdir(parents=True)
    made.planned(Asked(), engine)
    for age, is_made_again in ((100, True), (-100, False)):
        done.touch()
        os.utime(done, (time.time() - age, time.time() - age))
        made.started(JOBS | {"build_workbook": 1}, engine)
        made.ended()
        assert (folder / "made").exists() == is_made_again
        (folder / "made").unlink(missing_ok=True)


def test_an_engine_that_draws_itself_silences_the_stage_runners(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their lines would tear its progress bars; Snakemake's plain lines they do not tear."""
    for plain in (True, False):
        made, environment, engine = course(sweep())
        monkeypatch.setattr(Engine, "hide_job_events", lambda *_, plain=plain: plain)
        made.planned(Asked(), engine)
        made.started(JOBS, engine)
        assert ("SWEEPMAKE_QUIET" in environment) == (not plain)
        made._sweeps[0].claims.release()


def test_two_outputs_with_one_results_folder_are_told_apart() -> None:
    """The message says which folder, and what to set."""
    with pytest.raises(SweepmakeError, match="set 'output' and 'results' in each one's config"):
        course(sweep("a_"), sweep("b_", results="elsewhere"))
