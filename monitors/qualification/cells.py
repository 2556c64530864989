"""The cells of a qualification and its verdict: every cell must be proved, and an accusation must survive all cells.

How it works. A pair is qualified if every cell is proved to lie within its limit, each at alpha: an intersection-union
test (Berger, Technometrics 1982). If any true value lies above its limit, that happens with probability at most alpha,
and nothing has to be corrected. Proved harmful is a cell that survives Holm's procedure over all cells (Holm, Scand. J.
Stat. 1979): under any dependence, an accusation of a cell within its limit has probability at most alpha. Between the
two the rows cannot tell, which is a verdict and no pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import log

import numpy as np

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.qualification.evidence import CellEvidence
from tightrope.monitors.qualification.more_rows import rows_to_see
from tightrope.monitors.records import Bools, Floats, Outcome

ROUND_ROWS = 2
"""Significant digits of a number of missing rows in words."""

NOT_SHOWN_OVER = "not shown to be over"
NO_ROWS_NOTE = "no rows"
NEAR_LIMIT_NOTE = "too near the limit"


class LimitProof(StrEnum):
    """The proof that a limit needs: that it holds, or only that a harm of three times it would have shown."""

    WITHIN = "within"
    NOT_OVER = "not_over"


@dataclass(frozen=True, slots=True)
class MeasuredCell:
    """A cell before the verdict: a criterion in a scope, for one of its variants such as a class. ``needed`` are the
    rows with which it would pass if it goes on as seen, None if it never would. Without ``evidence`` it could not be
    measured, for a reason.

    >>> MeasuredCell("disagreement", "model", "", Hypothesis.RATE, 0.07, LimitProof.WITHIN, None, reason="time").name
    'model disagreement'
    """

    criterion: str
    scope: str
    variant: str
    hypothesis: Hypothesis
    limit: float
    proof: LimitProof
    evidence: CellEvidence | None
    needed: float | None = 0.0
    reason: str = ""

    @property
    def name(self) -> str:
        """The name by which people accept the cell."""
        return " ".join(part for part in (self.scope, self.criterion, self.variant) if part)


@dataclass(frozen=True, slots=True)
class JudgedCell:
    """A cell with its outcome, and a note in words where it needs one.

    >>> cell = MeasuredCell("disagreement", "model", "", Hypothesis.RATE, 0.07, LimitProof.WITHIN, None, reason="time")
    >>> judge([cell], 0.05)[0].note
    'not measured: time'
    """

    cell: MeasuredCell
    outcome: Outcome
    note: str = ""


class QualificationVerdict(StrEnum):
    """The verdict on a pair, by severity."""

    BREACH = "breach"
    ERROR = "error"
    INSUFFICIENT = "insufficient"
    QUALIFIED = "qualified"


EXIT_CODES = {
    QualificationVerdict.BREACH: 3,
    QualificationVerdict.ERROR: 5,
    QualificationVerdict.INSUFFICIENT: 4,
    QualificationVerdict.QUALIFIED: 0,
}
"""The exit code of a verdict; one of these wins over all that follow it."""


def rejected_by_holm(p: Floats, alpha: float) -> Bools:
    """Mask the hypotheses that Holm's procedure rejects, (m,), by their p-values (m,).

    >>> rejected_by_holm(np.array([0.03, 0.01, 0.2]), 0.05).tolist()
    [False, True, False]
    """
    order = np.argsort(p, kind="stable")
    steps = alpha / np.arange(len(p), 0, -1)
    passed = np.logical_and.accumulate(p[order] <= steps)
    rejected = np.zeros(len(p), dtype=bool)
    rejected[order] = passed
    return rejected


def judge(cells: Sequence[MeasuredCell], alpha: float) -> tuple[JudgedCell, ...]:
    """Judge all cells of one qualification together, in their order."""
    p = np.array([1.0 if cell.evidence is None else cell.evidence.p_over for cell in cells])
    accused = rejected_by_holm(p, alpha).tolist()
    return tuple(_judge(cell, alpha, len(cells), accused=over) for cell, over in zip(cells, accused, strict=True))


def _judge(cell: MeasuredCell, alpha: float, cells: int, *, accused: bool) -> JudgedCell:
    if cell.evidence is None:
        return JudgedCell(cell, Outcome.ERROR, f"not measured: {cell.reason}")
    if accused:
        return JudgedCell(cell, Outcome.BREACH)
    if cell.proof is LimitProof.NOT_OVER:
        needed = rows_to_see(cell.hypothesis, cell.limit, log(cells / alpha))
        if cell.evidence.rows >= needed:
            return JudgedCell(cell, Outcome.PASS, NOT_SHOWN_OVER)
        return JudgedCell(cell, Outcome.INSUFFICIENT, missing_rows(needed, cell.evidence.rows))
    if cell.evidence.p_within <= alpha:
        return JudgedCell(cell, Outcome.PASS)
    return JudgedCell(cell, Outcome.INSUFFICIENT, missing_rows(cell.needed, cell.evidence.rows))


def missing_rows(needed: float | None, rows: int) -> str:
    """Say how many more rows a cell needs; at least one, because those that it has did not do.

    >>> missing_rows(387.0, 28), missing_rows(None, 28), missing_rows(29.0, 0)
    ('about 360 more rows', 'too near the limit', 'no rows: about 29 more')
    """
    if needed is None:
        return NEAR_LIMIT_NOTE
    more = max(needed - rows, 1.0)
    number = f"{float(f'{more:.{ROUND_ROWS}g}'):,.0f}"
    return f"about {number} more rows" if rows else f"{NO_ROWS_NOTE}: about {number} more"


def verdict_of(cells: Sequence[JudgedCell]) -> QualificationVerdict:
    """The verdict on all cells: the most severe outcome; without any cell nothing is proved."""
    outcomes = {each.outcome for each in cells}
    if Outcome.BREACH in outcomes:
        return QualificationVerdict.BREACH
    if Outcome.ERROR in outcomes:
        return QualificationVerdict.ERROR
    return QualificationVerdict.QUALIFIED if outcomes == {Outcome.PASS} else QualificationVerdict.INSUFFICIENT
