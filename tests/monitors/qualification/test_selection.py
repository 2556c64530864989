from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.qualification.cells import LimitProof, MeasuredCell, QualificationVerdict
from tightrope.monitors.qualification.evidence import weigh
from tightrope.monitors.qualification.selection import (
    best_verdict,
    judge_variant,
    opposing_cells,
    pareto_front,
    verdict_of_variant,
)
from tightrope.monitors.records import Outcome

ALPHA = 0.05
LIMIT = 0.1


@cache
def cell(hits: int, rows: int, scope: str = "model") -> MeasuredCell:
    """Return a measured rate."""
    evidence = weigh(Hypothesis.RATE, np.repeat([1.0, 0.0], [hits, rows - hits]), LIMIT, ALPHA)
    return MeasuredCell("disagreement", scope, "", Hypothesis.RATE, LIMIT, LimitProof.WITHIN, evidence, None)


def test_a_cell_over_its_limit_makes_a_variant_no_candidate() -> None:
    """A cell that is only seen over it does not: few rows say little."""
    assert [each.scope for each in opposing_cells([cell(40, 100, "a"), cell(12, 100, "b")], ALPHA)] == ["a"]


def test_a_proof_has_to_hold_for_all_candidates() -> None:
    """Two of 59 pass alone and not among eight; harm is proved by all rows, and named with them."""
    proofs = [cell(1, 46), cell(30, 100, "a")]
    alone = judge_variant(proofs, ALPHA, [cell(1, 60), cell(31, 140, "a")], ALPHA)
    assert [each.outcome for each in alone] == [Outcome.PASS, Outcome.BREACH]
    assert alone[1].cell.evidence is not None
    assert alone[1].cell.evidence.hits == 31
    many = judge_variant(proofs, ALPHA / 8, [cell(1, 60), cell(12, 100, "a")], ALPHA)
    assert [each.outcome for each in many] == [Outcome.INSUFFICIENT, Outcome.INSUFFICIENT]
    assert many[1].note == "too near the limit"


def test_only_a_candidate_is_qualified() -> None:
    """The rows that choose spoke against the other one."""
    cells = judge_variant([cell(0, 100)], ALPHA, [], ALPHA)
    assert verdict_of_variant(cells, is_candidate=True) is QualificationVerdict.QUALIFIED
    assert verdict_of_variant(cells, is_candidate=False) is QualificationVerdict.INSUFFICIENT


def test_the_best_of_many_bad_variants_rarely_qualifies() -> None:
    """Ten variants exactly at their limit: at most one sweep in twenty calls any of them qualified, within the error
    of 2,000 sweeps; without the correction it would be about one in three.
    """
    generator, wrong, uncorrected = np.random.default_rng(5), 0, 0

    @cache
    def passes(hits: int, alpha: float) -> bool:
        return judge_variant([cell(hits, 140)], alpha, [], ALPHA)[0].outcome is Outcome.PASS

    @cache
    def is_candidate(hits: int) -> bool:
        return not opposing_cells([cell(hits, 60)], ALPHA)

    for _ in range(2000):
        chosen, hits = generator.binomial(60, LIMIT, 10), generator.binomial(140, LIMIT, 10)
        candidates = [is_candidate(int(k)) for k in chosen]
        level = ALPHA / max(sum(candidates), 1)
        wrong += any(one and passes(int(k), level) for one, k in zip(candidates, hits, strict=True))
        uncorrected += any(passes(int(k), ALPHA) for k in hits)
    assert wrong / 2000 <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / 2000)
    assert uncorrected / 2000 > 0.2


def test_a_sweep_has_the_verdict_of_its_best_variant() -> None:
    """Cannot tell is better than harmful; without a variant nothing was measured."""
    verdicts = [QualificationVerdict.BREACH, QualificationVerdict.INSUFFICIENT, QualificationVerdict.ERROR]
    assert best_verdict(verdicts) is QualificationVerdict.INSUFFICIENT
    assert best_verdict([*verdicts, QualificationVerdict.QUALIFIED]) is QualificationVerdict.QUALIFIED
    assert best_verdict([]) is QualificationVerdict.ERROR


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_the_front_holds_what_no_point_beats(points: list[tuple[int, int]]) -> None:
    """Compared with the definition, point by point."""
    expected = [
        not any(other != point and other[0] <= point[0] and other[1] <= point[1] for other in points)
        for point in points
    ]
    assert pareto_front(np.array(points, dtype=np.float64)).tolist() == expected
