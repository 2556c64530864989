"""Membership: whether the compressed model tells more about the rows it was trained on than the baseline does."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from tightrope.monitors.compare import Reading, Scale
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.kinds.rows import column
from tightrope.monitors.qualification.cells import MeasuredCell
from tightrope.monitors.qualification.membership import (
    Advantage,
    advantage_of,
    best_threshold,
    loss_of,
    pair_differences,
    weigh_gain,
)
from tightrope.monitors.qualification.split import choosing_rows, draw
from tightrope.monitors.records import MODEL_SCOPE, Bools, Floats, Role
from tightrope.offline.pair_evaluation import PairEvaluation
from tightrope.offline.qualification.criteria import MEMBERSHIP, MODEL_LEVEL, CriteriaPlan
from tightrope.offline.qualification.row_bytes import bytes_of_rows
from tightrope.offline.qualification.stages import TIME
from tightrope.service.inference.row_files.row_file import RowFile
from tightrope.service.inference.row_files.row_reader import read_rows
from tightrope.service.inference.row_files.row_schema import schema_of

OF_CLASSES = {"classes": "values", "binary": "p"}
"""The kinds with a probability of each class, and the column of their readings that holds it."""

WITHOUT_MEMBERS = "no rows of the training were given: --members FILE"


class MembershipFigures(msgspec.Struct, frozen=True, omit_defaults=True):
    """The advantage of each model's threshold on the rows that judge, by role; ``pairs`` of a member and another row,
    and in how many of them the value of the member less that of the other row is -2, -1, 0, 1, 2. ``in_both`` rows of
    the file stand among the members, too, and are left out. ``reason`` says why nothing was measured.
    """

    members: int = 0
    others: int = 0
    in_both: int = 0
    pairs: int = 0
    differences: list[int] = []
    advantage: dict[str, Advantage] = {}
    reason: str = ""


def read_members(evaluation: PairEvaluation, path: Path) -> RowFile:
    """Read rows of the training, which need labels as the rows that judge do.

    Raises:
        RowFileError: when the file cannot be used.
    """
    return read_rows(path, schema_of(evaluation.pair), at_least=1)


def measure_membership(evaluation: PairEvaluation, members: RowFile, seed: int, alpha: float) -> MembershipFigures:
    """Choose a threshold of the loss for each model on one part of both files, and judge it on the other.

    Raises:
        RowFileError: when a model fails on a row.
        TimeIsUpError: when no time is left.
    """
    if (reason := _lacking(evaluation, members)) is not None:
        return MembershipFigures(reason=f"does not apply: {reason}")
    files = [replace(evaluation, table=members), evaluation]
    evaluation.progress.begin("asking for the rows of the training", len(Role) * sum(len(each.table) for each in files))
    rows = [list(bytes_of_rows(each.table.parts)) for each in files]
    common = set(rows[0]) & set(rows[1])
    orders = [_order(each, common, seed) for each in rows]
    chosen = [choosing_rows([each[row] for row in order], seed) for each, order in zip(rows, orders, strict=True)]
    below: list[dict[str, Bools]] = [{}, {}]
    for role in Role:
        losses = [_losses(each, role)[order] for each, order in zip(files, orders, strict=True)]
        threshold = best_threshold(losses[0][chosen[0]], losses[1][chosen[1]])
        for kept, loss, choosing in zip(below, losses, chosen, strict=True):
            kept[str(role)] = np.asarray(loss[~choosing] <= threshold)
    differences = pair_differences(*below)
    counts = np.bincount((differences + 2).astype(np.int64), minlength=5)
    return MembershipFigures(
        members=len(below[0][str(Role.BASELINE)]),
        others=len(below[1][str(Role.BASELINE)]),
        in_both=sum(row in common for row in rows[1]),
        pairs=len(differences),
        differences=counts.tolist(),
        advantage={str(role): advantage_of(below[0][role], below[1][role], alpha) for role in Role},
    )


def _lacking(evaluation: PairEvaluation, members: RowFile) -> str | None:
    """Say what the measurement needs and this pair or these files do not have."""
    pair = evaluation.pair
    is_plain = pair.kind is None and Scale.REGRESSION not in pair.decision.scales.values()
    if not is_plain and (pair.kind is None or pair.kind.name not in OF_CLASSES):
        return "the decision has no probabilities of classes"
    for table in (members, evaluation.table):
        if table.labels is None:
            return f"{table.path.name} has no labels"
    return None


def _order(rows: Sequence[bytes], common: set[bytes], seed: int) -> list[int]:
    """The rows that stand in one file only, in an order that the seed and their bytes give."""
    kept = [row for row in range(len(rows)) if rows[row] not in common]
    return sorted(kept, key=lambda row: (draw("membership", seed, rows[row]), rows[row]))


def _losses(evaluation: PairEvaluation, role: Role) -> Floats:
    """The loss of each row, (n,), by the probability of its label."""
    values, labels = _probabilities(evaluation, role), evaluation.table.labels
    assert labels is not None  # noqa: S101 - `_lacking` has looked
    classes = values.shape[1]
    known = (labels >= 0) & (labels < classes)  # the model gives no probability to any other class
    return loss_of(np.where(known, values[np.arange(len(labels)), np.where(known, labels, 0)], 0.0))


def _probabilities(evaluation: PairEvaluation, role: Role) -> Floats:
    """The probability of each class, (n, classes)."""
    reading = evaluation.readings(role, batched=True)
    if isinstance(reading, Reading):
        return reading.values
    name = OF_CLASSES[evaluation.pair.kind.name if evaluation.pair.kind else ""]
    values = np.concatenate([column(each, name) for each in reading])
    return np.asarray(values if values.ndim > 1 else np.stack([1 - values, values], axis=1))


def membership_cells(plan: CriteriaPlan, figures: MembershipFigures | None) -> Iterator[MeasuredCell]:
    """The cell of the criterion; without ``figures`` time did not reach it."""
    for criterion in plan.criteria:
        if criterion.name != MEMBERSHIP:
            continue
        limit, proof = criterion.limits[MODEL_LEVEL]
        if figures is None or figures.reason:
            reason = TIME if figures is None else figures.reason
            yield MeasuredCell(MEMBERSHIP, MODEL_SCOPE, "", Hypothesis.UPPER, limit, proof, None, reason=reason)
            continue
        differences = np.repeat(np.arange(-2.0, 3.0), figures.differences)
        evidence, needed = weigh_gain(differences, limit, plan.alpha)
        yield MeasuredCell(MEMBERSHIP, MODEL_SCOPE, "", Hypothesis.UPPER, limit, proof, evidence, needed)
