"""Sums of steps equal those found row by row; windows settle at their end, in any cut of the stream."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.monitors.dependence.cluster_sums import ClusterSums, Windows, open_window
from tightrope.monitors.records import Bools, Floats, Ints

TICKS, VARIANTS, SCOPES, STEPS = 6, 2, 3, 2


def drawn_rows(seed: int, n: int = 60) -> tuple[Ints, Ints, Bools, Bools, Floats]:
    """Draw rows: tick, step, membership, validity and observations in quarters, whose sums are exact."""
    rng = np.random.default_rng(seed)
    return (
        np.sort(rng.integers(0, TICKS, n)),
        rng.integers(0, STEPS, n),
        rng.random((n, SCOPES)) < 0.6,
        rng.random((n, VARIANTS)) < 0.7,
        rng.integers(0, 5, (n, VARIANTS)) / 4,
    )


def as_counter(sums: ClusterSums) -> dict[tuple[int, ...], tuple[float, float]]:
    """Return rows and total by tick, variant, scope and step."""
    keys = zip(sums.tick.tolist(), sums.variant.tolist(), sums.scope.tolist(), sums.step.tolist(), strict=True)
    return dict(zip(keys, zip(sums.rows.tolist(), sums.total.tolist(), strict=True), strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_sums_equal_those_found_row_by_row(seed: int) -> None:
    """For each step of a tick, each variant and each scope with rows."""
    tick, step, member, valid, y = drawn_rows(seed)
    rows: Counter[tuple[int, ...]] = Counter()
    total: Counter[tuple[int, ...]] = Counter()
    for row in range(len(tick)):
        for variant in range(VARIANTS):
            for scope in np.flatnonzero(member[row] & valid[row, variant]).tolist():
                key = (int(tick[row]), variant, scope, int(step[row]))
                rows[key] += 1
                total[key] += y[row, variant]
    found = as_counter(ClusterSums.from_rows(tick, step, member, valid, y))
    assert found == {key: (rows[key], total[key]) for key in rows}


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 5), data=st.data())
def test_order_of_rows_within_a_tick_changes_no_bit(seed: int, data: st.DataObject) -> None:
    """Neither do the names of the steps: their log e-values are added in the order of their counts."""
    tick, step, member, valid, y = drawn_rows(seed)
    order = np.array(data.draw(st.permutations(range(len(tick)))))
    order = order[np.argsort(tick[order], kind="stable")]
    shape = (TICKS, VARIANTS, SCOPES)

    def summed(step: Ints, order: Ints) -> bytes:
        sums = ClusterSums.from_rows(tick[order], step[order], member[order], valid[order], y[order])
        log_e = np.log1p(np.stack([sums.total, sums.rows], axis=1) / 7)
        return sums.summed(log_e, *shape).tobytes()

    assert summed(step, np.arange(len(tick))) == summed(7 - step, order)


def test_no_rows_have_no_sums() -> None:
    """A block whose rows all stand alone, or do not count."""
    tick, step, member, valid, y = drawn_rows(0, 0)
    sums = ClusterSums.from_rows(tick, step, member, valid, y)
    assert len(sums.rows) == 0
    assert not sums.summed(np.zeros((0, 4)), TICKS, VARIANTS, SCOPES).any()


def merged(entries: list[ClusterSums]) -> Counter[tuple[int, int, int, float, float]]:
    """Count the steps of settled windows, without their ticks."""
    return Counter(
        (v, s, t, rows, total) for sums in entries for (_, v, s, t), (rows, total) in as_counter(sums).items()
    )


@pytest.mark.parametrize("cut", range(1, TICKS))
@pytest.mark.parametrize("ends", [[], [2], [0, 3, 4], [5]])
def test_windows_do_not_depend_on_blocks(cut: int, ends: list[int]) -> None:
    """One block, or two with the open window carried over."""
    tick, step, member, valid, y = drawn_rows(7)

    def windows(mask: Bools, first: int, ends: list[int], start: Floats) -> Windows:
        parts = ClusterSums.from_rows(tick[mask] - first, step[mask], member[mask], valid[mask], y[mask])
        return Windows(parts, np.array(ends, dtype=int), start)

    fresh = open_window((VARIANTS, SCOPES), STEPS)
    whole = windows(tick >= 0, 0, ends, fresh)
    first = windows(tick < cut, 0, [end for end in ends if end < cut], fresh)
    later = windows(tick >= cut, cut, [end - cut for end in ends if end >= cut], first.open_after(cut))
    assert merged([first.settled, later.settled]) == merged([whole.settled])
    assert later.open_after(TICKS - cut).tobytes() == whole.open_after(TICKS).tobytes()
    assert whole.open_after(cut).tobytes() == first.open_after(cut).tobytes()
    settled = sum(float(part.rows.sum()) for part in (first.settled, later.settled))
    assert settled + later.open_after(TICKS - cut)[..., 0].sum() == whole.parts.rows.sum()


def test_classes_are_variants() -> None:
    """A row with a class counts for that variant alone, as with one column for each class."""
    tick, step, member, valid, y = drawn_rows(9)
    classes = np.random.default_rng(9).integers(0, 3, len(tick))
    of_class = classes[:, None] == np.arange(3)
    wanted = ClusterSums.from_rows(tick, step, member, valid[:, :1] & of_class, np.repeat(y[:, :1], 3, axis=1))
    found = ClusterSums.from_rows(tick, step, member, valid[:, :1], y[:, :1], classes)
    assert as_counter(found) == as_counter(wanted)
