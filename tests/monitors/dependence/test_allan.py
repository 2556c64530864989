"""Blocks of dependent rows vary more than those of independent ones, and slow changes are no dependence."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import bit_exact
from tightrope.monitors.dependence import allan
from tightrope.monitors.dependence.allan import BLOCK_ROWS, STRIDE_ROWS, AllanSums
from tightrope.monitors.records import Floats


def added(y: Floats, sums: AllanSums | None = None) -> AllanSums:
    """Add rows look by look."""
    sums, start = sums or AllanSums(), 0
    while start < len(y):
        part = y[start : start + sums.rows_to_look]
        sums, start = sums.add(part), start + len(part)
    return sums


def warned_at(y: Floats) -> int:
    """Return the number of rows after which the warning first comes, 0 for never."""
    sums, start = AllanSums(), 0
    while start < len(y):
        sums, start = sums.add(y[start : start + STRIDE_ROWS]), start + STRIDE_ROWS
        if sums.warned_block:
            return start
    return 0


def test_design_effect_has_the_golden_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """24 rows in blocks of four: 28/15."""
    monkeypatch.setattr(allan, "BLOCK_ROWS", (4,))
    monkeypatch.setattr(allan, "STRIDE_ROWS", 24)
    monkeypatch.setattr(allan, "MIN_DIFFERENCES", 1)
    y = np.array([float(one) for one in "001011000000010100001000"])
    assert AllanSums().add(y).design_effects() == pytest.approx([1.8666666666666667], abs=1e-9)


def test_sums_equal_those_of_all_rows_at_once() -> None:
    """Over many looks, before the first halving, for losses as for zeros and ones."""
    rng = np.random.default_rng(3)
    for y in ((rng.random(40 * STRIDE_ROWS) < 0.02).astype(float), rng.beta(0.1, 3, 40 * STRIDE_ROWS)):
        wanted = []
        for size in BLOCK_ROWS:
            means = y.reshape(-1, size).mean(axis=1)
            wanted.append(size * np.mean(np.diff(means) ** 2) / (2 * y.var()))
        assert added(y).design_effects() == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("cut", [1, 700, STRIDE_ROWS, 5000])
def test_sums_do_not_depend_on_batches(cut: int) -> None:
    """Rows before a look wait."""
    y = (np.random.default_rng(4).random(9000) < 0.1).astype(float)
    assert bit_exact(added(y[cut:], added(y[:cut]))) == bit_exact(added(y))


def test_rows_beyond_the_next_look_are_refused() -> None:
    """The caller has to stop there, because the warning may change what follows."""
    with pytest.raises(ValueError, match="until the next look"):
        AllanSums().add(np.zeros(STRIDE_ROWS + 1))


@pytest.mark.parametrize("rate", [0.001, 0.02, 0.3])
def test_independent_rows_do_not_warn(rate: float) -> None:
    """None of five streams of 65,536 rows; a steady stream does not either."""
    for seed in range(5):
        assert not warned_at((np.random.default_rng(seed).random(65_536) < rate).astype(float))
    assert not warned_at(np.zeros(65_536))


def interleaved(rng: np.random.Generator, n: int, callers: int, mean: float) -> Floats:
    """Callers in turn; the rows of each come in bursts that are all alike."""
    y = np.zeros(n)
    for caller in range(callers):
        rows = np.arange(caller, n, callers)
        lengths = rng.geometric(1 / mean, len(rows))
        y[rows] = np.repeat(rng.random(len(rows)) < 0.01, lengths)[: len(rows)]
    return y


def test_bursts_of_interleaved_callers_warn() -> None:
    """Neighbouring rows are of different callers, so that their correlation shows nothing."""
    for seed in range(5):
        y = interleaved(np.random.default_rng(seed), 32_768, 20, 20)
        assert abs(np.corrcoef(y[1:], y[:-1])[0, 1]) < 0.05
        assert 0 < warned_at(y) <= 16_384


def test_slow_cycle_does_not_warn() -> None:
    """A rate that swings between 0.5 and 2.5 % once in 36,000 rows."""
    rng, at = np.random.default_rng(5), np.arange(131_072)
    assert not warned_at((rng.random(len(at)) < 0.015 + 0.01 * np.sin(2 * np.pi * at / 36_000)).astype(float))


@pytest.mark.parametrize("change", [9_400, 12_000, 20_300])
@pytest.mark.parametrize("rate", [0.04, 0.06])
def test_one_sudden_change_does_not_warn(change: int, rate: float) -> None:
    """Harm that begins is no dependence: the unit must not widen while its evidence grows."""
    for seed in range(3):
        n = change + 1_500
        rates = np.where(np.arange(n) < change, 0.005, rate)
        assert not warned_at((np.random.default_rng(seed).random(n) < rates).astype(float))


def test_sums_forget_old_rows() -> None:
    """Dependence that ended is forgotten: the sums are halved."""
    rng = np.random.default_rng(6)
    bursts = np.repeat(rng.random(2048) < 0.05, 8).astype(float)
    after = added((rng.random(40 * STRIDE_ROWS) < 0.05).astype(float), added(bursts))
    assert added(bursts).warned_block
    later = added((rng.random(200 * STRIDE_ROWS) < 0.05).astype(float), after)
    assert not later.warned_block
    assert later.differences[-1] <= allan.MAX_BLOCKS
