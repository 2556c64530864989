"""Readings of the rows of a file by the kind of a pair, and their comparisons."""

from collections.abc import Callable, Sequence

import numpy as np

from tightrope.monitors.compare import PairedOutputs, Refusal
from tightrope.monitors.kinds.pairing import join_pairs, pair_kind_readings, read_safely
from tightrope.monitors.kinds.seam import DecisionKind, KindReading
from tightrope.monitors.records import Fault, Role, Tensors

RunRows = Callable[[Tensors, int], Tensors]
"""Runs a model on some rows, from the row with this number in the file; returns the outputs that decide."""

RaiseForRow = Callable[[int, str], Exception]
"""The error of a row, by its number in the file, with what the model did."""

READING_FAULTS = {
    Fault.NOT_FINITE: "'s answer is not finite",
    Fault.OUT_OF_RANGE: "'s answer cannot be read as the kind of the decision; see decision",
    Fault.UNREADABLE: "'s answer cannot be read: the code of the kind fails",
}


def read_rows(
    kind: DecisionKind, parts: Sequence[Tensors], role: Role, most: int, run: RunRows, error: RaiseForRow
) -> list[KindReading]:
    """The reading of each part of a file, run in batches of at most ``most`` rows.

    Raises:
        Exception: that of ``error``, where a row has no readable answer.
    """
    readings, start = [], 0
    for inputs in parts:
        rows = len(next(iter(inputs.values())))
        chunks = []
        for begin in range(0, rows, most):
            taken = {name: np.asarray(tensor[begin : begin + most]) for name, tensor in inputs.items()}
            size = len(next(iter(taken.values())))
            chunks.append(read_safely(kind, run(taken, start + begin), taken, role, size))
            if len(faulty := np.flatnonzero(chunks[-1].fault)):
                fault = Fault(int(chunks[-1].fault[faulty[0]]))
                raise error(start + begin + int(faulty[0]), READING_FAULTS[fault])
        try:
            readings.append(chunks[0].join(*chunks[1:]))
        except ValueError:
            raise error(start, "'s answers to several rows differ in shape") from None
        start += rows
    return readings


def pair_rows(
    kind: DecisionKind, baseline: Sequence[KindReading], compressed: Sequence[KindReading], refusal: Refusal | None
) -> PairedOutputs:
    """Pair the readings of all parts of a file."""
    pairs, start = [], 0
    for one, other in zip(baseline, compressed, strict=True):
        pairs.append((np.arange(start, start + len(one)), pair_kind_readings(kind, one, other, refusal)))
        start += len(one)
    return join_pairs(pairs, start)
