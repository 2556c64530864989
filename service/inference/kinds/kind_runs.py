"""Readings of a run by the kind of a pair: before the answer where that is cheap or needed, else for kept samples."""

from collections.abc import Sequence

import numpy as np

from tightrope.monitors.answer_summary import AnswerSummary
from tightrope.monitors.compare import Refusal
from tightrope.monitors.kinds.pairing import read_safely, refused_rows
from tightrope.monitors.kinds.seam import DecisionKind, KindReading
from tightrope.monitors.records import Fault, Ints, Role, Tensors


def summarize_run(
    kind: DecisionKind,
    refusal: Refusal | None,
    role: Role,
    outputs: Tensors,
    inputs: Tensors,
    rows: int,
    *,
    eager: bool,
) -> tuple[AnswerSummary, KindReading | None]:
    """The summary of a run's rows, and their reading if it is made before the answer: it is cheap, or ``eager``."""
    if not (kind.is_cheap or eager):
        return finite_summary({name: outputs[name] for name in kind.outputs}, rows), None
    reading = read_safely(kind, outputs, inputs, role, rows)
    return summarize_reading(reading, refusal, role, confident=kind.has_confidence), reading


def summarize_reading(reading: KindReading, refusal: Refusal | None, role: Role, *, confident: bool) -> AnswerSummary:
    """Summarize a reading for the gateway; without ``confident`` the kind has no confidence. A row with a fault is as
    uncertain as can be.
    """
    fault, refused = reading.fault.tolist(), refused_rows(reading, refusal, role).tolist()
    if not confident:
        return AnswerSummary(fault, (), (), refused)
    confidence = np.nan_to_num(reading.confidence, nan=0.0)
    uncertainty = np.nan_to_num(reading.uncertainty, nan=1.0)
    return AnswerSummary(fault, confidence.tolist(), uncertainty.tolist(), refused)


def finite_summary(outputs: Tensors, rows: int) -> AnswerSummary:
    """A summary that only tells which rows are finite, for kinds whose reading costs too much before the answer."""
    sound = np.ones(rows, dtype=bool)
    for output in outputs.values():
        if output.shape[:1] != (rows,):
            return AnswerSummary([Fault.OUT_OF_RANGE] * rows, (), (), [False] * rows)
        if output.dtype.kind == "f":
            sound &= np.isfinite(output.reshape(rows, -1)).all(axis=1)
    fault = np.where(sound, Fault.NONE, Fault.NOT_FINITE).tolist()
    return AnswerSummary(fault, (), (), [False] * rows)


def sample_outputs(
    kind: DecisionKind, role: Role, outputs: Tensors, inputs: Tensors, reading: KindReading | None, rows: Ints
) -> Tensors:
    """The tensors that a sample carries of these rows: the outputs that decide, or the reading where it is smaller."""
    own = {name: outputs[name][rows] for name in kind.outputs}
    if not kind.is_condensed:
        return own
    if reading is not None:
        return reading.take(rows).to_tensors()
    needed = {name: inputs[name][rows] for name in kind.inputs}
    return read_safely(kind, own, needed, role, len(rows)).to_tensors()


def deciding_outputs(kind: DecisionKind | None, output: str) -> Sequence[str]:
    """The outputs that a decision is read from."""
    return [output] if kind is None else list(kind.outputs)
