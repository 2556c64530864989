"""The evidence of starvation: seen soon where nothing is kept, hardly ever where the draw works."""

import numpy as np
import pytest

from tightrope.monitors.intake.starvation import STARVED_NATS, add_requests, no_evidence, starved_scopes
from tightrope.monitors.records import Floats


def after(rate: float, steps: int, kept: Floats, requests: int = 1) -> int | None:
    """The number of steps after which the evidence is enough; each has ``requests`` with this probability."""
    log_mass = no_evidence(1)
    for step in range(steps):
        log_mass = add_requests(log_mass, np.array([rate * requests]), kept[step : step + 1])
        if starved_scopes(log_mass)[0]:
            return step + 1
    return None


@pytest.mark.parametrize("rate", [1.0, 0.1, 0.01])
def test_nothing_kept_is_seen_after_thirty_expected_requests(rate: float) -> None:
    """However small the probability is."""
    steps = after(rate, int(100 / rate), np.zeros(int(100 / rate)))
    assert steps is not None
    assert 20 < steps * rate < 34


def test_draw_that_stops_is_seen_as_soon_as_one_that_never_began() -> None:
    """Requests that were kept before do not count against it."""
    draws = np.random.default_rng(1).random(20_000)
    kept = (draws < 0.1) & (np.arange(20_000) < 10_000)
    steps = after(0.1, 20_000, kept)
    assert steps is not None
    assert 10_000 < steps < 10_400


def test_kept_third_is_seen_and_kept_half_is_not_soon() -> None:
    """The supposition is at least half: its false alarms are one in a million expected requests at most."""
    draws = np.random.default_rng(2).random(30_000)
    assert after(1.0, 30_000, draws < 1 / 3) is not None
    assert after(1.0, 30_000, draws < 1 / 2) is None


@pytest.mark.parametrize("rate", [1.0, 0.1, 0.002])
def test_draw_that_works_is_never_starved(rate: float) -> None:
    """In three hundred seconds of a thousand requests each."""
    kept = np.random.default_rng(3).binomial(1_000, rate, 300)
    assert after(rate, 300, kept, requests=1_000) is None


def test_requests_that_nothing_should_keep_say_nothing() -> None:
    """A scope without requests, or whose rate is 0."""
    log_mass = no_evidence(2)
    for _ in range(100):
        log_mass = add_requests(log_mass, np.array([0.0, 1.0]), np.array([0.0, 0.0]))
    assert starved_scopes(log_mass).tolist() == [False, True]
    assert np.logaddexp.reduce(log_mass[1]) > STARVED_NATS
    assert not np.isfinite(log_mass[0]).any()
