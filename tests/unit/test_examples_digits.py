"""The digits example: its gradients are right, its programs agree, and bad input gets one line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits"
DATA = "data/digits.csv.gz"


@pytest.fixture(scope="module")
def network_module():
    """The example's module `network`, imported as its own programs do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        import network

        yield network
    del sys.modules["network"]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run one of the example's programs in its folder."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        check=False,
    )


def train(folder: Path, *arguments: object) -> str:
    """Train two epochs unless told otherwise; return what was printed."""
    result = run("train.py", DATA, "--epochs", 2, *arguments, "--save-dir", folder)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("normalization", ["batch", "new", "none"])
def test_gradients_equal_finite_differences(network_module, normalization):
    """The backward pass is the derivative of the forward pass, through the batch's statistics."""
    random = np.random.default_rng(5)
    network = network_module.Network.create(
        normalization, seed=3, sizes=(6, 5, 4, 3), dtype=np.float64
    )
    for name in network.trainable:
        network.state[name] += random.normal(0, 0.3, network.state[name].shape)
    batch = network_module.Digits(random.normal(0.4, 1, (12, 6)), random.integers(0, 3, 12))
    gradients, _, _ = network.gradients(batch)
    assert sorted(gradients) == sorted(network.trainable)
    step = 1e-6
    for name, gradient in gradients.items():
        array = network.state[name]
        numeric = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + step
            above = network.gradients(batch)[1]
            array[index] = kept - step
            below = network.gradients(batch)[1]
            array[index] = kept
            numeric[index] = (above - below) / (2 * step)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-8, err_msg=name)


def test_batch_normalization_centres_and_scales_and_new_only_scales(network_module):
    """In training a normalized column has variance 1 (batch) or mean square 1 (new)."""
    values = np.random.default_rng(1).normal(3, 2, (200, 5))
    sizes = (4, 5, 3)
    batch = network_module.Network.create("batch", sizes=sizes, dtype=np.float64)
    normalized, _ = batch._normalize(1, values, training=True)
    np.testing.assert_allclose(normalized.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(normalized.var(axis=0), 1, rtol=1e-4)
    new = network_module.Network.create("new", sizes=sizes, dtype=np.float64)
    normalized, _ = new._normalize(1, values, training=True)
    np.testing.assert_allclose(np.square(normalized).mean(axis=0), 1, rtol=1e-4)
    assert (normalized.mean(axis=0) > 0.5).all()


def test_running_statistics_follow_the_momentum(network_module):
    """After one batch, running = (1 - momentum) * initial + momentum * the batch's."""
    values = np.random.default_rng(1).normal(3, 2, (200, 5))
    network = network_module.Network.create("batch", 0.1, sizes=(4, 5, 3), dtype=np.float64)
    network._normalize(1, values, training=True)
    state = network.state
    np.testing.assert_allclose(state["norm1.running_mean"], 0.1 * values.mean(axis=0))
    np.testing.assert_allclose(state["norm1.running_variance"], 0.9 + 0.1 * values.var(axis=0))
    before = {name: array.copy() for name, array in state.items()}
    network.evaluate(network_module.Digits(values[:, :4], np.zeros(200, int)))
    for name in state:
        np.testing.assert_array_equal(state[name], before[name], err_msg=name)


def test_the_parts_of_the_data_do_not_overlap(network_module):
    """Training, validation and test hold 1,000, 297 and 500 samples, each of the file once."""
    parts = network_module.load_digits(EXAMPLE / DATA)
    assert [len(part) for part in parts] == [1000, 297, 500]
    table = np.loadtxt(EXAMPLE / DATA, delimiter=",")
    together = np.concatenate(
        [np.column_stack([(part.images + 1) * 8, part.labels]) for part in parts]
    )
    assert sorted(map(tuple, together)) == sorted(map(tuple, table))


def test_train_average_test_gives_a_good_network(tmp_path):
    """Two epochs, their average, and its test: the lines of the README, well above chance."""
    printed = train(tmp_path).splitlines()
    number = r"\d+\.\d{4}"
    for epoch, line in enumerate(printed[:2], start=1):
        assert re.fullmatch(
            rf"Iter {epoch}: loss={number}, lr=0\.1, val_loss={number}, val_acc={number}, "
            r"duration=0:00:\d\d",
            line,
        )
    assert re.fullmatch(r"Total time elapsed for training = \d+\.\d+ seconds", printed[2])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint1.npz",
        "checkpoint2.npz",
        "last.npz",
    ]

    average = tmp_path / "averaged.npz"
    result = run("average_checkpoints.py", "--inputs", tmp_path, "--output", average)
    assert (result.returncode, result.stderr) == (0, "")
    states = [dict(np.load(tmp_path / name)) for name in ("checkpoint1.npz", "checkpoint2.npz")]
    averaged = np.load(average)
    weight = "dense1.weight"
    np.testing.assert_allclose(
        averaged[weight], (states[0][weight] + states[1][weight]) / 2, rtol=1e-5, atol=1e-7
    )

    result = run("test.py", DATA, "--path", average)
    found = re.fullmatch(rf"test_loss={number}, test_acc=({number})\n", result.stdout)
    assert found, result.stderr
    assert float(found[1]) > 0.9


def test_only_the_last_checkpoints_are_averaged(tmp_path):
    """checkpoint10 comes after checkpoint9, and K = 1 gives the last one itself."""
    train(tmp_path, "--epochs", 10)
    run("average_checkpoints.py", "--inputs", tmp_path, "--num-epoch-checkpoints", 1,
        "--output", tmp_path / "averaged.npz")  # fmt: skip
    last, averaged = np.load(tmp_path / "checkpoint10.npz"), np.load(tmp_path / "averaged.npz")
    for name in last.files:
        np.testing.assert_array_equal(last[name], averaged[name], err_msg=name)


def test_the_seed_decides_every_number(tmp_path):
    """The same seed gives the same weights, another one others."""

    def weights(folder: str, seed: int) -> np.ndarray:
        train(tmp_path / folder, "--seed", seed)
        return np.load(tmp_path / folder / "checkpoint2.npz")["dense1.weight"]

    first, again, other = weights("a", 7), weights("b", 7), weights("c", 8)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_early_stopping_waits_as_long_as_its_patience(tmp_path):
    """It stops PATIENCE epochs after the lowest val_loss, and says so."""
    printed = train(tmp_path, "--epochs", 60, "--early-stop", 2)
    losses = [float(text) for text in re.findall(r"val_loss=([\d.]+)", printed)]
    assert len(losses) < 60
    assert losses.index(min(losses)) == len(losses) - 3
    assert f"\nEpoch {len(losses)}: early stopping\n" in printed


def test_checkpoints_of_an_earlier_attempt_are_not_averaged_in(tmp_path):
    """A shorter training in the same folder leaves its own checkpoints only."""
    train(tmp_path, "--epochs", 4)
    train(tmp_path, "--epochs", 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint1.npz",
        "checkpoint2.npz",
        "last.npz",
    ]


@pytest.mark.parametrize("normalization", ["batch", "none"])
def test_a_resumed_training_ends_with_the_same_bits(tmp_path, normalization):
    """Three epochs and two more are five; the early stop too waits as if nothing had happened."""
    options = ("--normalization", normalization, "--early-stop", 2)
    whole = train(tmp_path / "whole", "--epochs", 5, *options).splitlines()
    train(tmp_path / "parts", "--epochs", 3, *options)
    last = tmp_path / "parts" / "last.npz"
    rest = train(tmp_path / "parts", "--epochs", 5, *options, "--resume", last).splitlines()
    assert [line.partition(", dur")[0] for line in rest[:-1]] == [
        line.partition(", dur")[0] for line in whole[3:-1]
    ]
    for name in ("checkpoint1.npz", "checkpoint5.npz", "last.npz"):
        one, other = np.load(tmp_path / "whole" / name), np.load(tmp_path / "parts" / name)
        assert one.files == other.files
        for array in one.files:
            np.testing.assert_array_equal(one[array], other[array], err_msg=array)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The checkpoint of one epoch, as bytes."""
    folder = tmp_path_factory.mktemp("whole")
    train(folder, "--epochs", 1)
    return (folder / "checkpoint1.npz").read_bytes()


@pytest.mark.xdist_group("digits")  # in one worker, which trains once
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("average_checkpoints.py", "--inputs", "{tmp}", "--output", "{tmp}/a.npz"),
         "no checkpoint<N>.npz"),
        (("test.py", DATA, "--path", "{tmp}/missing.npz"), "no such checkpoint"),
        (("test.py", DATA, "--path", DATA), "not a checkpoint"),
        (("test.py", DATA, "--path", "{tmp}/cut.npz"), "not a checkpoint"),
        (("train.py", "data/none.csv.gz", "--save-dir", "{tmp}"), "no such data file"),
        (("train.py", "params.yaml", "--save-dir", "{tmp}"), "not a table of digits"),
        (("train.py", DATA, "--batch-size", "0", "--save-dir", "{tmp}"), "expected 1 to 1000"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_line_and_exit_code_1(checkpoint, tmp_path, arguments, expected):
    """No traceback, and the line names what was wrong."""
    (tmp_path / "cut.npz").write_bytes(checkpoint[: len(checkpoint) // 2])
    result = run(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert expected in result.stderr
