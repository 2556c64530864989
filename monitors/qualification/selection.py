"""Selection among several variants of one baseline: some rows choose the candidates, and the others prove them.

How it works. The best of many variants looks better than it is (the winner's curse). So a variant is a candidate unless
a cell speaks against it on the rows that choose, and each of V candidates is proved on the rows that judge at
alpha / V: if one lies beyond a limit, it is called qualified with probability at most alpha under any choice
(Bonferroni).
Harm is proved for each variant alone, as by a qualification of it: on all rows, by Holm's procedure over its cells.
"""

from collections.abc import Sequence

import numpy as np

from tightrope.monitors.qualification.cells import (
    NEAR_LIMIT_NOTE,
    JudgedCell,
    MeasuredCell,
    QualificationVerdict,
    judge,
    verdict_of,
)
from tightrope.monitors.records import Bools, Floats, Outcome

BEST_FIRST = tuple(reversed(QualificationVerdict))
"""Verdicts, the best one first."""


def opposing_cells(cells: Sequence[MeasuredCell], alpha: float) -> list[MeasuredCell]:
    """The cells that lie over their limit, each at alpha: any of them makes a variant no candidate."""
    return [cell for cell in cells if cell.evidence is not None and cell.evidence.p_over <= alpha]


def judge_variant(
    proofs: Sequence[MeasuredCell], proof_alpha: float, accusations: Sequence[MeasuredCell], alpha: float
) -> tuple[JudgedCell, ...]:
    """Judge the cells of one of several variants: ``proofs`` on the rows that judge, at ``proof_alpha``, and
    ``accusations``, cells with the same names in any order, at ``alpha``.
    """
    harmful = {each.cell.name: each for each in judge(accusations, alpha) if each.outcome is Outcome.BREACH}
    return tuple(harmful.get(each.cell.name) or _without_breach(each) for each in judge(proofs, proof_alpha))


def _without_breach(judged: JudgedCell) -> JudgedCell:
    if judged.outcome is not Outcome.BREACH:
        return judged
    return JudgedCell(judged.cell, Outcome.INSUFFICIENT, NEAR_LIMIT_NOTE)


def verdict_of_variant(cells: Sequence[JudgedCell], *, is_candidate: bool) -> QualificationVerdict:
    """The verdict on all cells of a variant; only a candidate can be qualified."""
    verdict = verdict_of(cells)
    if verdict is QualificationVerdict.QUALIFIED and not is_candidate:
        return QualificationVerdict.INSUFFICIENT
    return verdict


def best_verdict(verdicts: Sequence[QualificationVerdict]) -> QualificationVerdict:
    """The best of several verdicts; without any nothing was measured.

    >>> best_verdict([QualificationVerdict.BREACH, QualificationVerdict.INSUFFICIENT]).value
    'insufficient'
    """
    return min(verdicts, key=BEST_FIRST.index, default=QualificationVerdict.ERROR)


def pareto_front(points: Floats) -> Bools:
    """Mask the points (n, 2) to which no other is better in one coordinate and as good in the other; small is good.

    >>> pareto_front(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 2.0]])).tolist()
    [True, True, False]
    """
    ours, others = points[:, None, :], points[None, :, :]
    no_worse: Bools = np.all(others <= ours, axis=2)
    better: Bools = np.any(others < ours, axis=2)
    return np.asarray(~np.any(no_worse & better, axis=1))
