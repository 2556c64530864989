from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.qualification.cells import (
    EXIT_CODES,
    JudgedCell,
    LimitProof,
    MeasuredCell,
    QualificationVerdict,
    judge,
    rejected_by_holm,
    verdict_of,
)
from tightrope.monitors.qualification.evidence import NO_ROWS, CellEvidence, weigh
from tightrope.monitors.qualification.more_rows import rows_for_rate
from tightrope.monitors.records import Floats, Ints, Outcome
from tightrope.monitors.thresholds import log_tail

ALPHA = 0.05


def cell(
    hits: int, rows: int, limit: float = 0.1, proof: LimitProof = LimitProof.WITHIN, needed: float = 0.0
) -> MeasuredCell:
    """Return a measured rate."""
    evidence = weigh(Hypothesis.RATE, np.repeat([1.0, 0.0], [hits, rows - hits]), limit, ALPHA)
    return MeasuredCell("disagreement", "model", "", Hypothesis.RATE, limit, proof, evidence, needed)


def judged(*cells: MeasuredCell) -> list[tuple[Outcome, str]]:
    """Judge cells together."""
    return [(each.outcome, each.note) for each in judge(cells, ALPHA)]


def test_a_proved_cell_passes_and_a_harmful_one_breaches() -> None:
    """Between them lies the cell that cannot tell."""
    outcomes = [outcome for outcome, _ in judged(cell(0, 100), cell(60, 100), cell(12, 100))]
    assert outcomes == [Outcome.PASS, Outcome.BREACH, Outcome.INSUFFICIENT]


def test_accusation_has_to_survive_all_cells() -> None:
    """p = .0044 accuses alone, and not among 77 cells."""
    accused = cell(21, 114, needed=None)
    assert judged(accused)[0][0] is Outcome.BREACH
    assert judged(accused, *[cell(0, 100)] * 76)[0] == (Outcome.INSUFFICIENT, "too near the limit")


def test_missing_rows_are_counted() -> None:
    """A cell that goes the right way says about how many more rows prove it."""
    assert judged(cell(2, 30, needed=rows_for_rate(2 / 30, 0.1, ALPHA))) == [
        (Outcome.INSUFFICIENT, "about 410 more rows")
    ]


def test_a_cell_without_rows_cannot_tell() -> None:
    """An empty subgroup is no pass."""
    empty = replace(cell(0, 10), evidence=NO_ROWS, needed=29.0)
    assert judged(empty) == [(Outcome.INSUFFICIENT, "no rows: about 29 more")]


def test_not_over_passes_only_with_rows_that_would_have_shown_harm() -> None:
    """Too few rows that show nothing prove nothing."""
    assert judged(cell(8, 100, proof=LimitProof.NOT_OVER)) == [(Outcome.PASS, "not shown to be over")]
    assert judged(cell(0, 5, proof=LimitProof.NOT_OVER))[0][0] is Outcome.INSUFFICIENT
    assert judged(cell(60, 100, proof=LimitProof.NOT_OVER))[0][0] is Outcome.BREACH


OUTCOMES = st.sampled_from([Outcome.BREACH, Outcome.ERROR, Outcome.INSUFFICIENT, Outcome.PASS])


@given(st.lists(OUTCOMES, min_size=1))
def test_the_most_severe_outcome_is_the_verdict(outcomes: list[Outcome]) -> None:
    """3 before 5 before 4 before 0."""
    cells = [JudgedCell(cell(0, 100), outcome) for outcome in outcomes]
    order = [Outcome.BREACH, Outcome.ERROR, Outcome.INSUFFICIENT, Outcome.PASS]
    code = (3, 5, 4, 0)[min(order.index(outcome) for outcome in outcomes)]
    assert EXIT_CODES[verdict_of(cells)] == code


def test_nothing_is_qualified_without_cells() -> None:
    """No criterion, no proof."""
    assert verdict_of([]) is QualificationVerdict.INSUFFICIENT


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_rejects_between_bonferroni_and_all(p: list[float]) -> None:
    """Bonferroni's rejections are among Holm's, Holm's among those without a correction; smaller p go first."""
    values = np.array(p)
    rejected = rejected_by_holm(values, ALPHA)
    assert (rejected >= (values <= ALPHA / len(p))).all()
    assert (rejected <= (values <= ALPHA)).all()
    if rejected.any():
        assert (rejected >= (values < values[rejected].max())).all()


def drawn(generator: np.random.Generator, sizes: Ints, rates: Floats) -> list[MeasuredCell]:
    """Draw rates of scopes; the bounds, which no verdict reads, are left out."""
    cells = []
    for hits, rows in zip(generator.binomial(sizes, rates).tolist(), sizes.tolist(), strict=True):
        within = float(np.exp(log_tail(hits, rows, 0.1)))
        over = float(np.exp(log_tail(rows - hits, rows, 0.9))) if hits else 1.0
        evidence = CellEvidence(rows, hits, hits / rows, 1.0, 0.0, within, over)
        cells.append(MeasuredCell("disagreement", "x", "", Hypothesis.RATE, 0.1, LimitProof.WITHIN, evidence))
    return cells


def test_limits_are_kept_in_simulated_draws() -> None:
    """A scope exactly at its limit qualifies, and is accused, in about alpha of draws at most; 23 scopes."""
    generator = np.random.default_rng(11)
    sizes, draws = generator.integers(80, 1000, 23), 500
    one_at_limit = np.full(23, 0.01)
    one_at_limit[0] = 0.1
    first = [verdict_of(judge(drawn(generator, sizes, one_at_limit), ALPHA)) for _ in range(draws)]
    second = [verdict_of(judge(drawn(generator, sizes, np.full(23, 0.1)), ALPHA)) for _ in range(draws)]
    assert 0.01 <= first.count(QualificationVerdict.QUALIFIED) / draws <= ALPHA + 0.02
    assert 0.01 <= second.count(QualificationVerdict.BREACH) / draws <= ALPHA + 0.02
