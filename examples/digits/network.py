"""The digits and a small network on them: data, layers, gradients, SGD, checkpoints.

Everything is NumPy; a network of two hidden layers trains in about a second. The scripts beside
this module (and ../mpi) import it and keep only their command lines and their loops.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

# The matrices are so small that BLAS threads only wait for each other, and a sweep runs several of
# these programs side by side already. BLAS reads these variables once, when NumPy is imported.
for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

__all__ = [
    "NORMALIZATIONS",
    "BadInputError",
    "Digits",
    "Network",
    "Optimizer",
    "State",
    "average_states",
    "batches",
    "checkpoints_in",
    "flatten",
    "load_checkpoint",
    "load_digits",
    "load_training",
    "save_checkpoint",
    "unflatten",
]

Array = NDArray[np.floating]
State = dict[str, Array]
"""Every array of a network by name, such as dense1.weight or norm1.running_variance."""

NORMALIZATIONS = ("batch", "new", "none")
EPSILON = 1e-5
_TRAINING = "training."


class BadInputError(Exception):
    """Something the user gave cannot be used; the text is one line for them."""


# --- data ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Digits:
    """One part of the data: images, (n, 64) values in [-1, 1], and their n digits."""

    images: Array
    labels: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.labels)

    def share(self, rank: int, ranks: int) -> Digits:
        """Return every `ranks`-th sample from `rank` on: what one of several processes works on."""
        return Digits(self.images[rank::ranks], self.labels[rank::ranks])


def load_digits(path: Path) -> tuple[Digits, Digits, Digits]:
    """Return the training (1,000), validation (297) and test (500) part of the digits.

    The parts are the same in every run: a seed varies the training, not the task.

    Args:
        path: the CSV file, gzipped or not: 64 pixels of 0 to 16, then the digit.

    Raises:
        BadInputError: the file is missing or not such a table.
    """
    try:
        table = np.loadtxt(path, delimiter=",", dtype=np.float32)
    except FileNotFoundError:
        raise BadInputError(f"{path}: no such data file") from None
    except (OSError, EOFError, ValueError) as error:
        raise BadInputError(f"{path}: not a table of digits ({error})") from error
    if table.shape != (1797, 65):
        raise BadInputError(
            f"{path}: expected 1797 rows of 65 numbers, found the shape {table.shape}"
        )
    table = table[np.random.default_rng(1998).permutation(len(table))]
    images, labels = table[:, :64] / 8 - 1, table[:, 64].astype(np.intp)
    bounds = (slice(0, 1000), slice(1000, 1297), slice(1297, 1797))
    train, valid, test = (Digits(images[part], labels[part]) for part in bounds)
    return train, valid, test


def batches(digits: Digits, size: int, seed: Sequence[int]) -> Iterator[Digits]:
    """Yield shuffled batches of `size` samples; the few that do not fill a last one are left out.

    Args:
        seed: what decides the order, such as (seed of the run, epoch).
    """
    order = np.random.default_rng(seed).permutation(len(digits))
    for start in range(0, len(order) - size + 1, size):
        chosen = order[start : start + size]
        yield Digits(digits.images[chosen], digits.labels[chosen])


# --- network ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cache:
    """What the backward pass of one hidden layer needs again."""

    inputs: Array
    normalized: Array
    inverse_scale: Array
    active: NDArray[np.bool_]


class Network:
    """Dense layers, a normalization and a ReLU after each hidden one; softmax cross-entropy on top.

    `batch` is batch normalization (Ioffe and Szegedy 2015). `new` divides by the root mean square
    of a batch and leaves the mean in (the forward pass of PowerNorm, Shen et al. 2020): it has
    running statistics and a momentum too. `none` leaves the layers as they are.
    """

    def __init__(self, state: State, normalization: str, momentum: float) -> None:
        self.state = state
        self.normalization = normalization
        self.momentum = momentum
        self.depth = sum(name.startswith("dense") and name.endswith("weight") for name in state)

    @classmethod
    def create(
        cls,
        normalization: str = "batch",
        momentum: float = 0.1,
        seed: int = 1,
        sizes: Sequence[int] = (64, 64, 32, 10),
        dtype: type[np.floating] = np.float32,
    ) -> Network:
        """Return a network with fresh weights (He et al. 2015), the same ones for the same seed."""
        random = np.random.default_rng(seed)
        state: State = {}
        for layer, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
            weight = random.normal(0, np.sqrt(2 / fan_in), (fan_in, fan_out))
            state[f"dense{layer}.weight"] = weight.astype(dtype)
            state[f"dense{layer}.bias"] = np.zeros(fan_out, dtype)
            if normalization != "none" and layer < len(sizes) - 1:
                state[f"norm{layer}.scale"] = np.ones(fan_out, dtype)
                state[f"norm{layer}.shift"] = np.zeros(fan_out, dtype)
                state[f"norm{layer}.running_mean"] = np.zeros(fan_out, dtype)
                state[f"norm{layer}.running_variance"] = np.ones(fan_out, dtype)
        return cls(state, normalization, momentum)

    @property
    def trainable(self) -> list[str]:
        """The names of the arrays that gradients change."""
        return [name for name in self.state if ".running_" not in name]

    @property
    def running(self) -> list[str]:
        """The names of the running statistics."""
        return [name for name in self.state if ".running_" in name]

    def _normalize(self, layer: int, values: Array, training: bool) -> tuple[Array, Array]:
        """Return the normalized values and their inverse scale; updates the running statistics."""
        running_mean = self.state[f"norm{layer}.running_mean"]
        running_variance = self.state[f"norm{layer}.running_variance"]
        if training:
            # without centring, the mean square about 0 takes the place of the variance
            centred = self.normalization == "batch"
            mean = values.mean(axis=0) if centred else np.zeros_like(running_mean)
            variance = np.square(values - mean).mean(axis=0)
            running_mean += self.momentum * (mean - running_mean)
            running_variance += self.momentum * (variance - running_variance)
        else:
            mean, variance = running_mean, running_variance
        inverse_scale = 1 / np.sqrt(variance + EPSILON)
        return (values - mean) * inverse_scale, inverse_scale

    def _forward(self, images: Array, training: bool) -> tuple[Array, list[_Cache]]:
        caches = []
        values: Array = images
        for layer in range(1, self.depth):
            inputs = values
            values = inputs @ self.state[f"dense{layer}.weight"] + self.state[f"dense{layer}.bias"]
            normalized, inverse_scale = values, np.ones_like(values[0])
            if self.normalization != "none":
                normalized, inverse_scale = self._normalize(layer, values, training)
                scale, shift = self.state[f"norm{layer}.scale"], self.state[f"norm{layer}.shift"]
                values = normalized * scale + shift
            active = values > 0
            values = values * active
            caches.append(_Cache(inputs, normalized, inverse_scale, active))
        caches.append(_Cache(values, values, values, values > 0))
        last = self.depth
        return values @ self.state[f"dense{last}.weight"] + self.state[f"dense{last}.bias"], caches

    def gradients(self, batch: Digits) -> tuple[State, float, float]:
        """Return the gradient of each trainable array, the batch's mean loss and its accuracy."""
        logits, caches = self._forward(batch.images, training=True)
        loss, accuracy, slope = _cross_entropy(logits, batch.labels)
        gradients: State = {}
        for layer in range(self.depth, 0, -1):
            cache = caches[layer - 1]
            if layer < self.depth:
                slope = slope * cache.active
                if self.normalization != "none":
                    gradients[f"norm{layer}.scale"] = (slope * cache.normalized).sum(axis=0)
                    gradients[f"norm{layer}.shift"] = slope.sum(axis=0)
                    slope = self._normalize_backward(
                        slope * self.state[f"norm{layer}.scale"], cache
                    )
            gradients[f"dense{layer}.weight"] = cache.inputs.T @ slope
            gradients[f"dense{layer}.bias"] = slope.sum(axis=0)
            slope = slope @ self.state[f"dense{layer}.weight"].T
        return gradients, loss, accuracy

    def _normalize_backward(self, slope: Array, cache: _Cache) -> Array:
        """Return the gradient before the normalization, through the batch's own statistics."""
        result: Array = slope - cache.normalized * (slope * cache.normalized).mean(axis=0)
        if self.normalization == "batch":
            result = result - slope.mean(axis=0)
        return result * cache.inverse_scale

    def evaluate(self, digits: Digits) -> tuple[float, float]:
        """Return the mean loss and the accuracy, with the running statistics."""
        logits, _ = self._forward(digits.images, training=False)
        loss, accuracy, _ = _cross_entropy(logits, digits.labels)
        return loss, accuracy


def _cross_entropy(logits: Array, labels: NDArray[np.intp]) -> tuple[float, float, Array]:
    """Return the mean loss, the accuracy, and the loss's gradient on the logits."""
    logits = logits - logits.max(axis=1, keepdims=True)
    log_probability = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    slope = np.exp(log_probability)
    slope[rows, labels] -= 1
    loss = -log_probability[rows, labels].mean()
    accuracy = (logits.argmax(axis=1) == labels).mean()
    return float(loss), float(accuracy), slope / slope.dtype.type(len(labels))


class Optimizer:
    """Stochastic gradient descent with momentum; it changes the network's arrays in place."""

    def __init__(self, network: Network, lr: float, momentum: float = 0.9) -> None:
        self.network = network
        self.lr = lr
        self.momentum = momentum
        self.velocity = {name: np.zeros_like(network.state[name]) for name in network.trainable}

    def step(self, gradients: State) -> None:
        """Move every trainable array by one step."""
        for name, velocity in self.velocity.items():
            velocity *= self.momentum
            velocity -= self.lr * gradients[name]
            self.network.state[name] += velocity


def flatten(arrays: State) -> Array:
    """Return all arrays one after the other in one vector: one message between processes."""
    return np.concatenate([array.ravel() for array in arrays.values()])


def unflatten(vector: Array, like: State) -> State:
    """Return the arrays that `flatten` put into a vector; `like` has their names and shapes."""
    ends = np.cumsum([array.size for array in like.values()])
    parts = np.split(vector, ends[:-1])
    return {
        name: part.reshape(array.shape)
        for (name, array), part in zip(like.items(), parts, strict=True)
    }


# --- checkpoints --------------------------------------------------------------------------------


def save_checkpoint(network: Network, path: Path, **more: object) -> None:
    """Write the network to `path`; a kill on the way leaves no half-written checkpoint behind.

    Args:
        network: the network.
        path: the file.
        more: arrays and numbers to keep with it; `load_training` returns them.
    """
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as stream:
        np.savez(
            stream,
            normalization=np.array(network.normalization),
            momentum=np.array(network.momentum),
            **network.state,
            **{f"{_TRAINING}{name}": np.asarray(value) for name, value in more.items()},
        )
    partial.replace(path)


def load_checkpoint(path: Path) -> Network:
    """Return the network that `save_checkpoint` wrote.

    Raises:
        BadInputError: there is no such file, or it is no checkpoint.
    """
    return load_training(path)[0]


def load_training(path: Path) -> tuple[Network, State]:
    """Return the network that `save_checkpoint` wrote, and what it kept with it.

    Raises:
        BadInputError: there is no such file, or it is no checkpoint.
    """
    try:
        with np.load(path) as archive:
            state = {name: archive[name] for name in archive.files}
        more = {
            n.removeprefix(_TRAINING): state.pop(n) for n in [*state] if n.startswith(_TRAINING)
        }
        network = Network(state, str(state.pop("normalization")), float(state.pop("momentum")))
        return network, more
    except FileNotFoundError:
        raise BadInputError(f"{path}: no such checkpoint; has the training finished?") from None
    except (OSError, EOFError, ValueError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        raise BadInputError(f"{path}: not a checkpoint ({error})") from error


def checkpoints_in(folder: Path) -> list[Path]:
    """Return the checkpoint<N>.npz of a folder in the order of their epochs N."""
    numbered = [
        (int(number), path)
        for path in folder.glob("checkpoint*.npz")
        if (number := path.stem.removeprefix("checkpoint")).isdecimal()
    ]
    return [path for _, path in sorted(numbered)]


def average_states(states: Iterable[State]) -> State:
    """Return the mean of each array over some networks, running statistics included."""
    together = list(states)
    return {
        name: np.mean([state[name] for state in together], axis=0, dtype=np.float64).astype(
            array.dtype
        )
        for name, array in together[0].items()
    }
