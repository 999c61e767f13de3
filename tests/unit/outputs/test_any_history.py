"""Whatever the logs hold, all results are made: a workbook, the PDFs, a page."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from sweepmake.outputs import TABLES
from sweepmake.outputs.refresh import refresh
from sweepmake.outputs.write_outputs import write_comparison, write_tables
from sweepmake.params.config import read_config
from sweepmake.results.study import study_of_logs
from sweepmake.results.table import read_results_table

VALUES = st.sampled_from(
    ["0.5", "0.25", "nan", "inf", "-inf", "0", "1e308", "-1e308", "1e-320", "7"]
)
NAMES = st.sampled_from(["loss", "val_acc", "val_loss", "lr"])
PAIRS = st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=3, unique_by=lambda pair: pair[0])
EPOCHS = st.sampled_from(["epoch 0: ", "epoch 1: ", "epoch 1: ", "epoch 2: ", "epoch 3: "])
STEPS = st.sampled_from(
    ["", "", "epoch 1 step 1/2 | ", "epoch 2 step 2/2 | ", "step 5: ", "step 9: "]
)
TAGS = st.sampled_from(["", "", "", "[1,0]<stdout>:", "[1,15]<stdout>:"])
LINES = st.builds(
    lambda tag, epoch, step, pairs: (
        tag + (step or epoch) + ", ".join(f"{name}={value}" for name, value in pairs)
    ),
    TAGS, EPOCHS | st.just(""), STEPS, PAIRS,
)  # fmt: skip
LOGS = st.lists(LINES | st.just("Baseline accuracy: 0.1") | st.just("hello"), max_size=8)


def make_all(logs: list[list[str]]) -> None:
    """Make all results of logs that were made elsewhere, as `snakemake results` does."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for at, lines in enumerate(logs):
            place = folder / "logs" / f"lr_0.{at + 1}"
            place.mkdir(parents=True)
            (place / "log.txt").write_text("\n".join(lines) + "\n")
        config = read_config({"logs": f"{folder}/logs", "results": f"{folder}/results"})
        study = study_of_logs(config)
        assert refresh(study, cores=1) == []
        table = read_results_table(study)
        write_tables(study, table)
        write_comparison(study, table)
        results = folder / "results"
        assert {path.name for path in results.iterdir() if path.is_file()} >= set(TABLES)
        for pdf in results.rglob("*.pdf"):
            assert len(PdfReader(pdf).pages) > 0
        assert len(list(results.rglob("ranks.pdf"))) == len(logs)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(st.lists(LOGS, min_size=1, max_size=2))
@settings(max_examples=12, deadline=None)
def test_all_results_are_made_of_any_history(logs: list[list[str]]) -> None:
    """Empty, one value, no epochs, all nan, one rank of sixteen, and so on."""
    make_all(logs)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "lines",
    [
        ["Baseline accuracy: 0.10", "Epoch 1: loss=0.9", "Epoch 2: loss=0.8"],
        [],
        ["loss: 0.5"],
        ["Epoch 1: loss=nan", "Epoch 2: loss=nan"],
        ["Epoch 1: loss=1e308", "Epoch 2: loss=-1e308"],
        [*(f"[1,{rank}]<stdout>:ready" for rank in range(16)), "[1,3]<stdout>:Epoch 1: loss=0.5"],
    ],
    ids=["before the first epoch", "nothing", "one value", "all nan", "huge", "one rank of 16"],
)
def test_all_results_are_made_of_odd_histories(lines: list[str]) -> None:
    """One kind of oddness each."""
    make_all([lines])
