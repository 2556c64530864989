"""Proposals are those of a plain beam search, and harm that no single column shows is found as well."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.monitors.hunter.evidence import LOSS_UNITS
from tightrope.monitors.hunter.proposals import MIN_PROPOSED_ROWS, Proposer, slice_scores
from tightrope.monitors.records import Bools

LIMIT = 0.1


def plain_score(own: Bools, lost: Bools) -> float:
    """n KL(rate || limit) of the rows of a slice (n,), written down once more."""
    n, k = int(own.sum()), int((own & lost).sum())
    f = min(max((k + 0.5) / (n + 1), 1e-6), 1 - 1e-6)
    if n < MIN_PROPOSED_ROWS or f <= LIMIT:
        return 0.0
    return float(n * (f * np.log(f / LIMIT) + (1 - f) * np.log((1 - f) / (1 - LIMIT))))


def plain_slices(satisfied: Bools, lost: Bools) -> dict[tuple[int, ...], float]:
    """The slices of a beam of three to a depth of three, with their scores: eight single ones, then three of each."""

    def best(own: Bools, most: int) -> list[tuple[float, int]]:
        scored = [(plain_score(own & each, lost), -number) for number, each in enumerate(satisfied)]
        return [(score, -number) for score, number in sorted(scored, reverse=True)[:most] if score > 0]

    everything = np.ones(len(lost), dtype=bool)
    beam = {(number,): score for score, number in best(everything, 8)}
    found = dict(beam)
    for _ in range(2):
        narrower = {}
        for own, score in sorted(beam.items(), key=lambda each: -each[1])[:3]:
            for better, number in best(satisfied[list(own)].all(axis=0), 3 + len(own))[: 3 + len(own)]:
                if number not in own and better > 1.05 * score:
                    narrower[tuple(sorted((*own, number)))] = better
        beam = narrower
        found |= narrower
    return found


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_proposals_are_those_of_a_plain_search(seed: int) -> None:
    """Where the model as a whole is over the limit; one predicate is harmed most in another's rows."""
    rng = np.random.default_rng(seed)
    satisfied = rng.random((8, 600)) < rng.uniform(0.1, 0.6, 8)[:, None]
    lost = rng.random(600) < 0.12 + 0.4 * (satisfied[0] & satisfied[1]) + 0.3 * satisfied[2]
    found = Proposer(satisfied, LOSS_UNITS * lost.astype(np.int64), np.arange(8), LIMIT).proposals()
    expected = plain_slices(satisfied, lost)
    assert expected.keys() <= {*found}
    scores = [plain_score(satisfied[list(own)].all(axis=0), lost) for own in found]
    assert scores == sorted(scores, reverse=True)
    assert {own: score for own, score in zip(found, scores, strict=True) if own in expected} == pytest.approx(expected)


def test_harm_that_no_column_shows_is_proposed() -> None:
    """A triple of 0.8 % of the rows; each of its columns has 4 % and less, and the limit is 10 %."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 5, (8_192, 6))
    satisfied = np.concatenate([(codes == value).T for value in range(5)])
    harmed = (codes[:, :3] == 1).all(axis=1)
    lost = rng.random(8_192) < np.where(harmed, 0.9, 0.005)
    proposer = Proposer(satisfied, LOSS_UNITS * lost.astype(np.int64), np.tile(np.arange(6), 5), LIMIT)
    assert (slice_scores(satisfied.sum(axis=1), (satisfied & lost).sum(axis=1), LIMIT) == 0).all()
    assert proposer.proposals()[0] == (6, 7, 8)


def test_predicates_of_one_attribute_are_never_combined() -> None:
    """A range of one column has no line of configuration."""
    rng = np.random.default_rng(1)
    value = rng.random(2_000)
    satisfied = np.stack([value > 0.4, value < 0.6, rng.random(2_000) < 0.5])
    lost = (value > 0.4) & (value < 0.6)
    found = Proposer(satisfied, LOSS_UNITS * lost.astype(np.int64), np.array([0, 0, 1]), LIMIT).proposals()
    assert found
    assert not [own for own in found if {0, 1} <= {*own}]


@pytest.mark.parametrize(("rows", "proposed"), [(MIN_PROPOSED_ROWS - 1, []), (MIN_PROPOSED_ROWS, [(0,)])])
def test_few_rows_propose_nothing(rows: int, proposed: list[tuple[int]]) -> None:
    """Below twenty rows."""
    own = np.arange(400) < rows
    assert Proposer(own[None], LOSS_UNITS * own.astype(np.int64), np.array([0]), LIMIT).proposals() == proposed


def test_nothing_is_proposed_at_a_low_rate() -> None:
    """All slices are below the limit, though some exceed the rate of the model."""
    rng = np.random.default_rng(2)
    satisfied = rng.random((6, 4_000)) < 0.5
    lost = rng.random(4_000) < np.where(satisfied[0], 0.03, 0.005)
    assert Proposer(satisfied, LOSS_UNITS * lost.astype(np.int64), np.arange(6), LIMIT).proposals() == []
