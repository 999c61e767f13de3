"""The mpi example: a true Keras bar, equal ranks, and records that say what was printed."""

from __future__ import annotations

import functools
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
DATA = "../digits/data/digits.csv.gz"
ENVIRONMENT = {
    **os.environ,
    # containers are often root, and mpirun refuses to run as root without these
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
}


def load(path: Path) -> ModuleType:
    """Return the module in this file, without a trace in sys.modules' ordinary names."""
    spec = importlib.util.spec_from_file_location(f"examples_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


progress = load(EXAMPLES / "mpi" / "progress.py")


@functools.cache
def missing_mpi() -> str:
    """Return why no MPI program can run here, or an empty string."""
    if shutil.which("mpirun") is None:
        return "no mpirun on the PATH"
    program = [sys.executable, "-c", "from mpi4py import MPI"]
    result = subprocess.run(program, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    lines = result.stderr.strip().splitlines() or ["it ended without a word"]
    return f"mpi4py cannot be imported: {lines[-1]}" if result.returncode else ""


@pytest.fixture
def needs_mpi() -> None:
    """Skip where there is no mpirun or no mpi4py."""
    if reason := missing_mpi():
        pytest.skip(reason)


def run(ranks: int, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run train.py under mpirun, or by itself where ranks is 0."""
    launcher = ["mpirun", "--oversubscribe", "--tag-output", "-np", str(ranks)] if ranks else []
    result = subprocess.run(
        [*launcher, sys.executable, "-m", "mpi4py", "train.py", *map(str, arguments)],
        cwd=EXAMPLES / "mpi",
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )
    # decoded here: text=True would turn each carriage return into a newline
    return subprocess.CompletedProcess(
        result.args, result.returncode, result.stdout.decode(), result.stderr.decode()
    )


def printed_history(text: str) -> list[tuple[int, list[tuple[int, int, dict[str, str]]]]]:
    """Return (epoch, [(step, steps, printed values)]) of one rank's text."""
    epochs = []
    for part in re.split(r"Epoch (?=\d+/\d+\n)", text)[1:]:
        bars = [
            (int(step), int(steps), dict(re.findall(r" - ([a-z_]+): ([\d.e+-]+)", rest)))
            for step, steps, rest in re.findall(r"(\d+)/(\d+) \[[=>.]+\]([^\b\r\n]*)", part)
        ]
        epochs.append((int(part.split("/")[0]), bars))
    return epochs


def recorded_history(record: dict) -> list[tuple[int, list[tuple[int, int, dict[str, str]]]]]:
    """Return what `printed_history` should find: the drawn bars, rounded as Keras does."""

    def rounded(value: float) -> str:
        return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"

    return [
        (
            epoch["epoch"],
            [
                (step, steps, {name: rounded(value) for name, value in values.items()})
                for step, steps, shown, values in epoch["bars"]
                if shown
            ],
        )
        for epoch in record["epochs"]
    ]


def text_by_rank(log: str, ranks: int) -> list[str]:
    """Return each rank's own text: what follows a tag, up to the next tag, is that rank's."""
    # Open MPI 5 writes a space after each tag, Open MPI 4 writes none
    space = "" if re.search(r"\[1,\d+\]<stdout>:(?! )", log) else " "
    pieces = re.split(rf"\[1,(\d+)\]<stdout>:{space}", log)
    texts = [""] * ranks
    for tag, text in zip(pieces[1::2], pieces[2::2], strict=True):
        texts[int(tag)] += text
    return texts


def records(folder: Path) -> list[dict]:
    """Return the ranks' records in the order of the ranks."""
    paths = sorted(folder.glob("rank*.json"), key=lambda path: int(path.stem[4:]))
    return [json.loads(path.read_text()) for path in paths]


def test_the_bar_is_that_of_keras():
    """Redraws go back over the last one and blank what is left of it (real lines of Keras 2.15)."""
    times = iter([0.0, 3.1, 3.12, 3.3, 3.5])
    stream = io.StringIO()
    bar = progress.ProgressBar(13, 0.05, stream, lambda: next(times))
    bar.update(1, {"loss": 0.87099, "accuracy": 0.91992})
    bar.update(2, {"loss": 0.88237, "accuracy": 0.89062})
    bar.update(7, {"loss": 0.88257, "accuracy": 0.00034})
    last = {"loss": 0.87092, "accuracy": 0.21861, "val_loss": 0.86222}
    bar.update(13, last, finish=True)
    first = " 1/13 [=>............................] - ETA: 37s - loss: 0.8710 - accuracy: 0.9199"
    third = (
        "\r 7/13 [===============>..............] - ETA: 0s - loss: 0.8826 - accuracy: 3.4000e-04"
    )
    end = (
        "\r13/13 [==============================] - 4s 33ms/step - loss: 0.8709 - accuracy: 0.2186"
    )
    back = ["\b" * len(first), "\b" * len(third.lstrip("\r"))]
    assert stream.getvalue() == f"\r{first}{back[0]}{third}{back[1]}{end} - val_loss: 0.8622\n"
    assert [update[:3] for update in bar.updates] == [
        (1, 13, True),
        (2, 13, False),
        (7, 13, True),
        (13, 13, True),
    ]
    assert bar.updates[-1][3] == last


def test_a_shorter_bar_covers_the_longer_one_before_it():
    """Spaces fill what is left, as after ` - ETA: 37s` became ` - ETA: 0s`."""
    times = iter([0.0, 3.1, 3.2])
    stream = io.StringIO()
    bar = progress.ProgressBar(13, 0.05, stream, lambda: next(times))
    bar.update(1, {"loss": 0.5})
    bar.update(7, {"loss": 0.5})
    assert stream.getvalue().endswith(" - ETA: 0s - loss: 0.5000 ")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (59.9, "59s"), (65, "1:05"), (3605, "1:00:05")]
)
def test_remaining_time_is_written_as_keras_does(seconds, text):
    """Seconds, minutes or hours."""
    assert progress._eta(seconds) == text


@pytest.mark.usefixtures("needs_mpi")
def test_one_rank_prints_what_it_records(tmp_path):
    """Without mpirun: every bar drawn is in the record, rounded; the last one has val_ metrics."""
    result = run(0, DATA, "--epochs", 2, "--record-dir", tmp_path)
    assert result.returncode == 0, result.stderr
    (record,) = records(tmp_path)
    assert printed_history(result.stdout) == recorded_history(record)
    assert [len(epoch["bars"]) for epoch in record["epochs"]] == [63, 63]
    assert record["history"]["val_loss"][-1] == record["epochs"][-1]["bars"][-1][3]["val_loss"]
    assert result.stdout.endswith(
        f"Total time elapsed for training = {record['total_time']} seconds\n"
    )


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.usefixtures("needs_mpi")
def test_all_ranks_end_with_equal_weights(tmp_path, ranks):
    """Under the real mpirun: equal weights, own numbers, and a log that holds all of them."""
    arguments = (DATA, "--epochs", 2, "--record-dir", tmp_path, "--save-dir", tmp_path / "model")
    result = run(ranks, *arguments)
    assert result.returncode == 0, result.stderr
    found = records(tmp_path)
    assert [(record["rank"], record["world"]) for record in found] == [
        (rank, ranks) for rank in range(ranks)
    ]
    assert len({record["weights_sha256"] for record in found}) == 1
    assert len({record["history"]["loss"][0] for record in found}) == ranks
    for own, record in zip(text_by_rank(result.stdout, ranks), found, strict=True):
        assert printed_history(own) == recorded_history(record)
    tested = subprocess.run(
        [sys.executable, "../digits/test.py", DATA, "--path", tmp_path / "model" / "model.npz"],
        cwd=EXAMPLES / "mpi",
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(tested.stdout.split("test_acc=")[1]) > 0.8


@pytest.mark.usefixtures("needs_mpi")
def test_two_ranks_train_as_one_process_on_both_shares(tmp_path):
    """The weights are those of the mean gradient of both shares, computed here without MPI."""
    network_module = load(EXAMPLES / "digits" / "network.py")
    arguments = ("--epochs", 1, "--normalization", "none", "--lr", 0.02, "--seed", 3)
    result = run(2, DATA, *arguments, "--save-dir", tmp_path)
    assert result.returncode == 0, result.stderr

    training, _, _ = network_module.load_digits(EXAMPLES / "digits" / "data" / "digits.csv.gz")
    network = network_module.Network.create("none", seed=3)
    optimizer = network_module.Optimizer(network, 0.02)
    both = [network_module.batches(training.share(rank, 2), 16, (3, 1, rank)) for rank in (0, 1)]
    for first, second in zip(*both, strict=True):
        gradients = [network.gradients(batch)[0] for batch in (first, second)]
        optimizer.step(network_module.average_states(gradients))
    with np.load(tmp_path / "model.npz") as trained:
        for name in network.trainable:
            np.testing.assert_allclose(
                trained[name], network.state[name], rtol=1e-3, atol=1e-5, err_msg=name
            )


@pytest.mark.usefixtures("needs_mpi")
def test_ranks_stop_early_in_one_epoch(tmp_path):
    """Each rank has its own val_loss; all stop by their mean, after the same epoch, and say so."""
    arguments = (DATA, "--epochs", 40, "--lr", 0.5, "--early-stop", 1, "--record-dir", tmp_path)
    result = run(2, *arguments)
    assert result.returncode == 0, result.stderr
    found = records(tmp_path)
    means = np.mean([record["history"]["val_loss"] for record in found], axis=0)
    epoch = len(means)
    assert epoch < 40
    assert means.argmin() == epoch - 2
    for record in found:
        assert (record["early_stopped"], record["stopped_epoch"]) == (True, epoch)
    assert result.stdout.count(f"Epoch {epoch}: early stopping") == 2


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (("none.csv",), {}, "no such data file"),
        ((DATA, "--batch-size", 0), {}, "expected 1 to 1000"),
        ((DATA, "--batch-size", 1001), {}, "expected 1 to 1000"),
        ((DATA,), {"OMPI_COMM_WORLD_SIZE": "4"}, "mpirun started 4 processes, mpi4py sees 1"),
    ],
)
@pytest.mark.usefixtures("needs_mpi")
def test_bad_input_gets_one_line_and_an_exit_code(arguments, environment, expected):
    """No traceback, and the line names what was wrong."""
    result = run(0, *arguments, **environment)
    assert result.returncode != 0
    assert [line for line in result.stderr.splitlines() if line.startswith("train.py: ")]
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
