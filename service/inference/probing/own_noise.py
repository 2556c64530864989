"""The difference of a baseline from itself, alone and beside other rows: the least tolerance of a regression."""

from dataclasses import dataclass
from math import floor, log10

import numpy as np

from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters.ports import Model, RunFailedError
from tightrope.service.inference.batchability import Batchability, Proof

NOISE_MULTIPLE = 10.0
"""A proposed tolerance is this many times the noise."""

ROUNDING_SHARE, LEAST_ROUNDING = 1e-6, 1e-7
"""Rounding, below which no tolerance is proposed: a share of the largest value, and what is added to it."""

MAX_NOISE_ROWS = 64
"""Rows that are run to measure the noise."""


@dataclass(frozen=True, slots=True)
class OwnNoise:
    """The largest difference of a baseline from itself, and its largest value, on rows that ``source`` names."""

    difference: float
    largest: float
    source: str

    @property
    def tolerance(self) -> float:
        """A tolerance that counts no rounding, rounded up to one digit.

        >>> OwnNoise(3e-6, 2.0, "").tolerance, OwnNoise(0.0, 300.0, "").tolerance
        (3e-05, 0.0004)
        """
        least = max(NOISE_MULTIPLE * self.difference, ROUNDING_SHARE * self.largest + LEAST_ROUNDING)
        step = 10.0 ** floor(log10(least))
        return float(f"{np.ceil(round(least / step, 6)) * step:.1g}")

    def __str__(self) -> str:
        shown = f"by up to {self.difference:.2g}" if self.difference else "by nothing"
        return f"the baseline, alone and beside other rows, differs from itself {shown} on {self.source}"


def probed_noise(batchability: Batchability, output: str) -> OwnNoise | None:
    """The noise on made-up rows; None where they do not tell the size of the values. A row that never shares a run has
    none.
    """
    finding = batchability.findings.get(Role.BASELINE, {}).get(output)
    if finding is None or finding.scale is None:
        return None
    largest = max(abs(finding.scale.low), abs(finding.scale.high))
    return OwnNoise(finding.noise if finding.proof is Proof.PROVEN else 0.0, largest, "made-up rows")


def measured_noise(model: Model, inputs: Tensors, output: str, source: str, *, together: bool) -> OwnNoise | None:
    """Measure the noise on the first of these rows, which ``source`` names; None where a run fails or is not finite.
    ``together``: whether rows may share a run.
    """
    rows = min(len(next(iter(inputs.values()))), MAX_NOISE_ROWS)

    def run(begin: int, end: int) -> Tensors:
        return model.run({name: tensor[begin:end] for name, tensor in inputs.items()}, [output])

    try:
        alone = np.concatenate([run(row, row + 1)[output] for row in range(rows)]).astype(np.float64)
        beside = run(0, rows)[output].astype(np.float64) if together else alone
    except (RunFailedError, ValueError):
        return None
    if not (alone.size and alone.shape == beside.shape and np.isfinite(alone).all() and np.isfinite(beside).all()):
        return None
    return OwnNoise(float(np.abs(alone - beside).max()), float(np.abs(alone).max()), source)
