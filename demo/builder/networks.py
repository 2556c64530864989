"""Small dense networks in numpy: train on hard or soft targets, prune, remove dead units. No files, no clock."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    """Dense layers with ReLU between them and one logit at the end.

    Attributes:
        weights: float32[inputs, outputs] a layer.
        biases: float32[outputs] a layer.
    """

    weights: tuple[Float32Array, ...]
    biases: tuple[Float32Array, ...]

    def activations(self, features: Float32Array) -> list[Float32Array]:
        """The outputs of all layers for float32[n, inputs]: the input first, the logits, float32[n, 1], last."""
        values = [features]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values.append(np.maximum(values[-1] @ weight + bias, 0))
        values.append(values[-1] @ self.weights[-1] + self.biases[-1])
        return values

    def probability(self, features: Float32Array) -> Float32Array:
        """Probability of the second class: float32[n, inputs] -> float32[n]."""
        return sigmoid(self.activations(features)[-1][:, 0])


@dataclass(frozen=True)
class Schedule:
    """Training parameters.

    Attributes:
        epochs: passes over the rows.
        seed: of the order of the rows.
        step: Adam's initial step size; it falls linearly to zero, so that the last batches do not dominate.
        decay: weight decay per unit of step size (Loshchilov & Hutter 2019); without it most weights keep their
            initial size, and pruning by magnitude is pruning by chance.
        batch: rows per step; an incomplete last batch is skipped.
    """

    epochs: int
    seed: int
    step: float
    decay: float
    batch: int = 256


def sigmoid(logits: Float32Array) -> Float32Array:
    """1 / (1 + exp(-x)), written with tanh because that cannot overflow."""
    half = np.float32(0.5)
    return np.asarray(half + half * np.tanh(half * logits), np.float32)


def new(widths: tuple[int, ...], seed: int) -> Network:
    """A random network with these layer widths, inputs first, output (1) last; He et al. 2015, eq. 10."""
    random = np.random.default_rng(seed)
    weights = tuple(
        (random.standard_normal((fan_in, fan_out)) * np.sqrt(2 / fan_in)).astype(np.float32)
        for fan_in, fan_out in pairwise(widths)
    )
    return Network(weights, tuple(np.zeros(width, np.float32) for width in widths[1:]))


def gradients(network: Network, features: Float32Array, targets: Float32Array) -> list[Float32Array]:
    """Gradient of the mean cross-entropy: first for each weight, then for each bias.

    Args:
        network: the point at which the gradient is taken.
        features: float32[n, inputs].
        targets: float32[n] in [0, 1]; labels, or a teacher's probabilities (Hinton et al. 2015 at temperature 1).
    """
    values = network.activations(features)
    delta = (sigmoid(values.pop()) - targets[:, None]) / np.float32(len(targets))
    by_weight, by_bias = [], []
    for weight, value in zip(reversed(network.weights), reversed(values), strict=True):
        by_weight.append(value.T @ delta)
        by_bias.append(delta.sum(axis=0))
        delta = (delta @ weight.T) * (value > 0)
    return by_weight[::-1] + by_bias[::-1]


def train(network: Network, features: Float32Array, targets: Float32Array, schedule: Schedule) -> Network:
    """Adam (Kingma & Ba 2015) on the cross-entropy, with decay; weights that are zero at the start stay zero.

    That is needed to fine-tune a pruned network; a random network has no zeros.

    Args:
        network: the starting point; it is not changed.
        features: float32[n, inputs].
        targets: float32[n] in [0, 1], as in `gradients`.
        schedule: training parameters.
    """
    trained = Network(tuple(w.copy() for w in network.weights), tuple(b.copy() for b in network.biases))
    parameters = [*trained.weights, *trained.biases]
    moving = [weight != 0 for weight in network.weights] + [np.ones(len(bias), bool) for bias in network.biases]
    means = [np.zeros_like(value) for value in parameters]
    squares = [np.zeros_like(value) for value in parameters]
    for count, (rows, step) in enumerate(_batches(len(targets), schedule), start=1):
        scale = step * math.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        steps = gradients(trained, features[rows], targets[rows])
        for value, mean, square, move, gradient in zip(parameters, means, squares, moving, steps, strict=True):
            _adam(value, mean, square, gradient * move, scale)
        for weight in trained.weights:
            np.multiply(weight, 1 - step * schedule.decay, out=weight)
    return trained


def _adam(value: Float32Array, mean: Float32Array, square: Float32Array, gradient: Float32Array, scale: float) -> None:
    """One step in place, with the constants of the paper, in the efficient order of its section 2."""
    mean += 0.1 * (gradient - mean)
    square += 0.001 * (gradient * gradient - square)
    value -= scale * mean / (np.sqrt(square) + 1e-8)


def _batches(rows: int, schedule: Schedule) -> Iterator[tuple[npt.NDArray[np.intp], float]]:
    random = np.random.default_rng(schedule.seed)
    size = schedule.batch
    per_epoch = rows // size
    for epoch in range(schedule.epochs):
        order = random.permutation(rows)
        for index in range(per_epoch):
            left = 1 - (epoch * per_epoch + index) / (schedule.epochs * per_epoch)
            yield order[index * size : (index + 1) * size], schedule.step * left


def pruned(network: Network, share: float) -> Network:
    """Set this share of all weights to zero, by smallest magnitude over the whole network; biases stay."""
    magnitudes = np.concatenate([np.abs(weight).ravel() for weight in network.weights])
    limit = np.sort(magnitudes)[int(share * len(magnitudes))]
    kept = tuple(np.where(np.abs(weight) < limit, np.float32(0), weight) for weight in network.weights)
    return Network(kept, network.biases)


def without_dead_units(network: Network) -> Network:
    """Remove hidden units without changing the function: a unit without outputs is dropped, and the constant output of
    a unit without inputs is added to the next bias.
    """
    weights, biases = list(network.weights), list(network.biases)
    for layer in range(len(weights) - 1):
        constant = ~weights[layer].any(axis=0)
        moved = np.maximum(biases[layer][constant], 0) @ weights[layer + 1][constant]
        biases[layer + 1] = (biases[layer + 1] + moved).astype(np.float32)
        alive = ~constant & weights[layer + 1].any(axis=1)
        weights[layer], biases[layer] = weights[layer][:, alive], biases[layer][alive]
        weights[layer + 1] = weights[layer + 1][alive]
    return Network(tuple(weights), tuple(biases))
