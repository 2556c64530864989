"""Only what needs no library of the benchmark's own environment; the benchmark itself tries the rest."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.power.measure import once
from benchmarks.power.method import Cost, Method, Rows, Watch, spaced
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM, Interleaved, Sampled, Tightrope
from benchmarks.power.picture import Point, svg
from benchmarks.power.scenes import GROSS, SCENES, SHARES, Scene, bursts, draw
from benchmarks.power.windows import Budgeted, Sliding, Tumbling, wilson
from tightrope.monitors import detector
from tightrope.monitors.catalogue import Kind
from tightrope.monitors.detector import NOTHING, Bernoulli, Signed
from tightrope.monitors.records import Floats, Ints

METHODS: tuple[Method, ...] = (
    Tightrope(),
    Tightrope("ticks", 64),
    Interleaved(),
    Sampled(),
    Tumbling(),
    Sliding(),
    Budgeted("tumbling", sliding=False),
    Budgeted("sliding", sliding=True),
)


@pytest.mark.parametrize("scene", GROSS, ids=lambda scene: scene.name)
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_fires_on_a_gross_change(method: Method, scene: Scene) -> None:
    """And not before it: one wired to the wrong side, or to the wrong rows, would."""
    false, delay = once(method, scene, draw(scene, 0))
    assert false == 0
    assert 1 <= delay <= 1000


def stepped(watch: Watch, y: Floats, tick: int) -> Ints:
    """The program's own detector, tick by tick."""
    test = Bernoulli.above(watch.limit) if watch.kind is Kind.RATE else Signed.outside(watch.limit)
    width = 6 if isinstance(test, Bernoulli) else 14
    log_mass, found = np.full(width, NOTHING), []
    for end in range(tick, len(y) + 1, tick):
        batch = y[end - tick : end]
        if isinstance(test, Bernoulli):
            log_e = test.log_e(np.int64(tick), np.int64(batch.sum()))
        else:
            log_e = test.log_e(batch).sum(axis=0)
        log_mass = detector.advance(log_mass, watch.share * tick, log_e)
        if test.evidence(log_mass) >= np.log(SAMPLES_PER_FALSE_ALARM):
            found.append(end - 1)
            log_mass = np.full_like(log_mass, NOTHING)
    return np.array(found, dtype=np.int64)


@pytest.mark.parametrize("tick", [1, 64])
@pytest.mark.parametrize("kind", list(Kind))
def test_whole_streams_alarm_where_the_programs_detector_does(kind: Kind, tick: int) -> None:
    """Same alarms, restarts included: what is measured is what runs."""
    random = np.random.default_rng(5)
    y = (random.random(9_000) < 0.08).astype(float) if kind is Kind.RATE else random.normal(0.06, 0.2, 9_000)
    watch = Watch(kind, 0.02, y, share=0.25)
    found = Tightrope(tick=tick).alarms(watch, Rows.whole(np.clip(y, -1, 1)), len(y))
    expected = stepped(watch, np.clip(y, -1, 1), tick)
    assert len(expected) > 5
    assert found.tolist() == expected.tolist()


def test_a_subgroup_is_seeded_by_the_whole_streams_clock() -> None:
    """Samples of others count as seed mass, without evidence: as a tick without own rows does."""
    random = np.random.default_rng(6)
    at = np.flatnonzero(random.random(20_000) < 0.1)
    y = (random.random(len(at)) < 0.2).astype(float)
    watch, test = Watch(Kind.RATE, 0.02, y, share=0.05), Bernoulli.above(0.02)
    log_mass, last, first = np.full(6, NOTHING), -1, None
    for place, value in zip(at.tolist(), y.tolist(), strict=True):
        log_mass = detector.advance(log_mass, 0.05 * (place - last), test.log_e(np.int64(1), np.int64(value)))
        last = place
        if test.evidence(log_mass) >= np.log(SAMPLES_PER_FALSE_ALARM):
            first = place
            break
    assert Tightrope().alarms(watch, Rows(y, at, 20_000), 0).tolist() == [first]


@pytest.mark.parametrize(("rate", "rho"), [(0.02, 0.0), (0.02, 0.3), (0.1, 0.1)])
def test_bursts_have_their_rate_and_autocorrelation(rate: float, rho: float) -> None:
    """Within five standard errors; a burst makes those of the rate longer."""
    y = bursts(np.full(400_000, rate), rho, np.random.default_rng(7)).astype(float)
    error = np.sqrt(rate * (1 - rate) / len(y) * (1 + rho) / (1 - rho))
    assert abs(y.mean() - rate) < 5 * error
    centred = y - y.mean()
    for lag in (1, 2):
        found = (centred[lag:] * centred[:-lag]).mean() / centred.var()
        assert abs(found - rho**lag) < 5 * np.sqrt((1 + rho) / (rate * len(y)))


def test_scenes_change_when_they_say() -> None:
    """Rates and means before and after, and the spread."""
    for scene in SCENES:
        long = replace(scene, length=20 * scene.length, change=20 * scene.change)
        cell = draw(long, 0)[-1]
        since = cell.rows.places >= long.change
        for level, rows in ((scene.before, ~since if scene.after is not None else since), (scene.after, since)):
            if level is None:
                continue
            y = cell.rows.y[rows]
            deviation = scene.spread or np.sqrt(level * (1 - level) * (1 + scene.rho) / (1 - scene.rho))
            assert abs(y.mean() - level) < 5 * deviation / np.sqrt(len(y)), scene


def test_one_repetition_is_one_stream() -> None:
    """Equal for every method that asks, and another one for the next."""
    scene = SCENES[0]
    first, again, other = (draw(scene, number)[0].rows.y for number in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_subgroups_share_every_sample() -> None:
    """Each sample is one subgroup's, and their shares are those declared."""
    scene = next(scene for scene in SCENES if scene.subgroups and scene.quiet)
    cells = draw(scene, 0)
    at = np.sort(np.concatenate([cell.rows.places for cell in cells]))
    assert np.array_equal(at, np.arange(scene.length))
    assert sum(SHARES) == pytest.approx(1)
    assert (max(SHARES), min(SHARES)) == pytest.approx((0.279, 0.01), abs=5e-4)
    for share, cell in zip(SHARES, cells, strict=True):
        assert abs(len(cell.rows.places) / scene.length - share) < 5 * np.sqrt(share / scene.length)
    assert sum(cell.watch.share for cell in cells) == pytest.approx(1)


def test_windows() -> None:
    """Wilson's bound as statsmodels has it; alarms leave room for a new window."""
    assert wilson(np.array(0.03), 1000) == pytest.approx(0.021093738828834696, rel=1e-12)
    assert spaced(np.array([3, 4, 8, 9, 13]), 5).tolist() == [3, 8, 13]
    rows = Rows.whole(np.repeat([0.0, 1.0, 0.0], 10))
    watch = Watch(Kind.RATE, 0.5, rows.y, window=10)
    assert Tumbling().alarms(watch, rows, 30).tolist() == [19]
    assert Sliding().alarms(watch, rows, 30).tolist() == [18]


@pytest.mark.parametrize(("sliding", "needed"), [(False, 37), (True, 40)])
def test_windows_at_the_budget_are_exact(sliding: bool, needed: int) -> None:  # noqa: FBT001 - a parameter
    """Of 1,000 rows at 2 %, 37 ones or more have a chance of at most 1,000 / A, and 40 of an eighth of it."""
    for ones, alarms in ((needed - 1, []), (needed, [999])):
        rows = Rows.whole(np.repeat([1.0, 0.0], [ones, 1000 - ones]))
        watch = Watch(Kind.RATE, 0.02, rows.y)
        assert Budgeted("", sliding).alarms(watch, rows, 1000).tolist() == alarms


def test_lanes_are_those_of_the_program() -> None:
    """The first alarm stands where the judge's own lanes, ticks of one row, raise it."""
    random = np.random.default_rng(8)
    y = (random.random(6_000) < 0.2).astype(float)
    watch, test = Watch(Kind.RATE, 0.02, y, share=0.25), Bernoulli.above(0.02)
    log_mass = np.full((10, 6), NOTHING)
    for place, value in enumerate(y.astype(np.int64)):
        lane = place % 10
        log_mass[lane] = detector.advance(log_mass[lane], 0.25, test.log_e(np.int64(1), value))
        if test.evidence(log_mass[lane]) >= np.log(SAMPLES_PER_FALSE_ALARM):
            break
    assert Interleaved().alarms(watch, Rows.whole(y), len(y))[0] == place


def test_the_picture_holds_every_method_and_no_fonts() -> None:
    """Labels do not lie on each other, and what never alarmed has a place."""
    points = [
        Point("one & all", 0.0, 300, 900, jumpy=False, ours=True),
        Point("two", 0.0, 310, np.inf, jumpy=True, ours=False),
    ]
    drawn = svg(points, 0.05)
    assert "one &amp; all" in drawn
    assert "two" in drawn
    assert "url(" not in drawn
    assert Cost("loop") is Cost.LOOP
