"""The example notebook: committed without outputs, and it runs on a sweep's results."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

from sweepmake.logs.parse import StageLogs, parse_logs
from sweepmake.outputs.table_json import write_table_json
from sweepmake.results.outcomes import read_outcomes
from sweepmake.results.study import Study
from sweepmake.results.table import build_table
from sweepmake.runs.experiment import Experiment

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOK = ROOT / "examples" / "analysis.ipynb"
MLRUNNER_OUTPUT = ROOT / "tests" / "data" / "mlrunner-output"


def make_sweep(folder: Path) -> None:
    """A sweep's output and results, of the real logs in tests/data."""
    shutil.copytree(MLRUNNER_OUTPUT, folder / "output")
    experiments = []
    for param in sorted((folder / "output").glob("*/param")):
        parameters = yaml.safe_load(param.read_text())
        logs = tuple(param.parent.glob("log.train.*"))
        result = folder / "results" / param.parent.name
        result.mkdir(parents=True)
        parse_logs([StageLogs("train", logs)], result)
        own = {key: value for key, value in parameters.items() if not key.startswith("_")}
        found = {"train": tuple(map(str, logs))}
        experiments.append(
            Experiment(param.parent.name, own, str(param.parent), "", ("train",), logs=found)
        )
    study = Study("output", None, tuple(experiments), ("train",), str(folder / "results"))
    table = build_table(study, read_outcomes(study))
    write_table_json(table, folder / "results" / "experiments.json")


def text_of(cell: Any) -> str:
    """All that a cell shows as text."""
    texts = [output.get("text", "") for output in cell.outputs]
    texts += [output.get("data", {}).get("text/html", "") for output in cell.outputs]
    return "\n".join(texts)


@pytest.fixture
def quiet_jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jupyter's own files go to a temporary folder, not into the user's home."""
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


def test_the_notebook_is_committed_without_outputs() -> None:
    """No outputs, no counts: its diffs show what was changed by hand."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) >= 5
    assert [cell.outputs for cell in code] == [[]] * len(code)
    assert [cell.execution_count for cell in code] == [None] * len(code)


@pytest.mark.usefixtures("quiet_jupyter")
def test_the_notebook_runs_on_the_results_of_a_sweep(tmp_path: Path) -> None:
    """Every cell, in a real kernel: the ranking, the means over seeds, a plot, the Examiner."""
    make_sweep(tmp_path / "sweep")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = {cell.id: cell for cell in notebook.cells}
    # these logs name the accuracy of every epoch as digits names that of the test
    changed = cells["settings"].source.replace('"digits"', '"sweep"').replace("val_acc", "test_acc")
    assert changed != cells["settings"].source
    cells["settings"].source = changed
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()

    assert text_of(cells["load"]).startswith("6 experiments, 720 rows of history")
    ranking = re.findall(r"<td>(0\.9\d+)</td>", text_of(cells["ranking"]))
    assert ranking == ["0.9296", "0.9290", "0.9242", "0.9039", "0.9021", "0.9011"]
    assert "0.9276" in text_of(cells["seeds"])  # the mean of the first three
    assert text_of(cells["best"]).strip() == "Best: lr = 0.1"
    (plot,) = [output for output in cells["curves"].outputs if "data" in output]
    assert "image/png" in plot.data
    assert "epochs_to_best" in text_of(cells["examiner"])
    assert re.findall(r"<td>(0\.\d+)</td>", text_of(cells["join"])) == ["0.9024", "0.9276"]
    said = [output for cell in cells.values() for output in cell.get("outputs", [])]
    assert not [output for output in said if output.get("name") == "stderr"], "nothing went wrong"
