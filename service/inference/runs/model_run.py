"""One run of a role's model over the rows of a batch: its outputs, and what is read of them."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from numpy.typing import NDArray

from tightrope.monitors.answer_summary import AnswerSummary
from tightrope.monitors.kinds.seam import DecisionKind, KindReading
from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.inference.kinds.kind_runs import summarize_run
from tightrope.service.inference.model_pair import ModelPair


class UnreadableError(RunFailedError):
    """A model's outputs cannot be an answer: not one row of numbers for each row of the inputs."""


class UnsplittableError(UnreadableError):
    """An output of a run that requests share has not one entry on its axis of rows for each of their rows."""


ANOTHER_SHAPE = "another_shape"
"""The fault of an output that has not one row of numbers for each row."""


class ModelRun(Struct, frozen=True):
    """One run of a role's model over all rows of a batch: its outputs, the one that decides, their summary, and the
    seconds it took; its ``inputs``. ``axes`` names the outputs whose rows are on another axis than 0. ``is_readable``:
    every row of it can be read. ``reading`` is that of a kind, if it is made before the answer. Where the deciding
    output has not one row of numbers for each row, ``misfit`` says what it has, and ``decision`` holds NaN.
    """

    role: Role
    outputs: Tensors
    decision: NDArray[Any]
    summary: AnswerSummary
    seconds: float
    inputs: Tensors
    is_readable: bool = True
    misfit: str = ""
    axes: Mapping[str, int] = {}
    reading: KindReading | None = None


def read_by_kind(
    pair: ModelPair, kind: DecisionKind, role: Role, outputs: Tensors, rows: int, seconds: float, inputs: Tensors
) -> ModelRun:
    """Read a run by the kind of its pair."""
    summary, reading = summarize_run(kind, pair.decision.refusal, role, outputs, inputs, rows, eager=pair.reads_eagerly)
    is_readable, decision = not any(summary.fault), outputs[pair.output]
    return ModelRun(
        role, outputs, decision, summary, seconds, inputs, is_readable, axes=pair.batchability.axes, reading=reading
    )
