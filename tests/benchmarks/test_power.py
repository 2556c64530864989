"""Tests of the power benchmark's parts that need no library of its environment; the benchmark checks the others."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.power.measure import run_once
from benchmarks.power.method import CellSpec, Cost, Method, Rows, first_spaced
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM, Interleaved, Sampled, Tightrope
from benchmarks.power.picture import Point, svg
from benchmarks.power.scenes import GROSS, SCENES, SHARES, Scene, bursts, draw
from benchmarks.power.windows import Budgeted, Sliding, Tumbling, wilson
from tightrope.monitors import detector
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.detector import LOG_ZERO, Bernoulli, Signed
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
def test_every_method_finds_a_gross_change(method: Method, scene: Scene) -> None:
    """Each method raises an alarm after the change and none before it, so it reads the right rows."""
    false, delay = run_once(method, scene, draw(scene, 0))
    assert false == 0
    assert 1 <= delay <= 1000


def stepped(spec: CellSpec, y: Floats, tick: int) -> Ints:
    """The alarms of the product's detector, tick by tick."""
    test = Bernoulli.above(spec.limit) if spec.kind is Hypothesis.RATE else Signed.outside(spec.limit)
    width = 6 if isinstance(test, Bernoulli) else 14
    log_mass, alarms = np.full(width, LOG_ZERO), []
    for end in range(tick, len(y) + 1, tick):
        batch = y[end - tick : end]
        if isinstance(test, Bernoulli):
            log_e = test.log_e(np.int64(tick), np.int64(batch.sum()))
        else:
            log_e = test.log_e(batch).sum(axis=0)
        log_mass = detector.advance(log_mass, spec.share * tick, log_e)
        if test.evidence(log_mass) >= np.log(SAMPLES_PER_FALSE_ALARM):
            alarms.append(end - 1)
            log_mass = np.full_like(log_mass, LOG_ZERO)
    return np.array(alarms, dtype=np.int64)


@pytest.mark.parametrize("tick", [1, 64])
@pytest.mark.parametrize("kind", list(Hypothesis))
def test_vectorised_alarms_equal_those_of_the_products_detector(kind: Hypothesis, tick: int) -> None:
    """The alarms agree, restarts included, so the benchmark measures the detector that runs in production."""
    random = np.random.default_rng(5)
    y = (random.random(9_000) < 0.08).astype(float) if kind is Hypothesis.RATE else random.normal(0.06, 0.2, 9_000)
    spec = CellSpec(kind, 0.02, y, share=0.25)
    alarms = Tightrope(tick=tick).alarms(spec, Rows.whole(np.clip(y, -1, 1)), len(y))
    expected = stepped(spec, np.clip(y, -1, 1), tick)
    assert len(expected) > 5
    assert alarms.tolist() == expected.tolist()


def test_a_subgroup_is_seeded_by_the_whole_streams_clock() -> None:
    """Samples of other subgroups add seed mass without evidence, like a tick without own rows."""
    random = np.random.default_rng(6)
    indices = np.flatnonzero(random.random(20_000) < 0.1)
    y = (random.random(len(indices)) < 0.2).astype(float)
    spec, test = CellSpec(Hypothesis.RATE, 0.02, y, share=0.05), Bernoulli.above(0.02)
    log_mass, last, first = np.full(6, LOG_ZERO), -1, None
    for index, value in zip(indices.tolist(), y.tolist(), strict=True):
        log_mass = detector.advance(log_mass, 0.05 * (index - last), test.log_e(np.int64(1), np.int64(value)))
        last = index
        if test.evidence(log_mass) >= np.log(SAMPLES_PER_FALSE_ALARM):
            first = index
            break
    assert Tightrope().alarms(spec, Rows(y, indices, 20_000), 0).tolist() == [first]


@pytest.mark.parametrize(("rate", "rho"), [(0.02, 0.0), (0.02, 0.3), (0.1, 0.1)])
def test_bursts_have_their_rate_and_autocorrelation(rate: float, rho: float) -> None:
    """Both agree within five standard errors; bursts increase the standard error of the rate."""
    y = bursts(np.full(400_000, rate), rho, np.random.default_rng(7)).astype(float)
    error = np.sqrt(rate * (1 - rate) / len(y) * (1 + rho) / (1 - rho))
    assert abs(y.mean() - rate) < 5 * error
    centred = y - y.mean()
    for lag in (1, 2):
        correlation = (centred[lag:] * centred[:-lag]).mean() / centred.var()
        assert abs(correlation - rho**lag) < 5 * np.sqrt((1 + rho) / (rate * len(y)))


def test_scenes_change_at_the_declared_sample() -> None:
    """Rates and means before and after the change are as declared."""
    for scene in SCENES:
        long = replace(scene, length=20 * scene.length, change=20 * scene.change)
        cell = draw(long, 0)[-1]
        since = cell.rows.indices >= long.change
        for level, rows in ((scene.before, ~since if scene.after is not None else since), (scene.after, since)):
            if level is None:
                continue
            y = cell.rows.y[rows]
            deviation = scene.spread or np.sqrt(level * (1 - level) * (1 + scene.rho) / (1 - scene.rho))
            assert abs(y.mean() - level) < 5 * deviation / np.sqrt(len(y)), scene


def test_one_repetition_is_one_stream() -> None:
    """Equal repetition numbers give equal streams, different numbers different ones."""
    scene = SCENES[0]
    first, again, other = (draw(scene, number)[0].rows.y for number in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_subgroups_share_every_sample() -> None:
    """Each sample belongs to one subgroup, and the subgroups have the declared shares."""
    scene = next(scene for scene in SCENES if scene.subgroups and scene.quiet)
    cells = draw(scene, 0)
    indices = np.sort(np.concatenate([cell.rows.indices for cell in cells]))
    assert np.array_equal(indices, np.arange(scene.length))
    assert sum(SHARES) == pytest.approx(1)
    assert (max(SHARES), min(SHARES)) == pytest.approx((0.279, 0.01), abs=5e-4)
    for share, cell in zip(SHARES, cells, strict=True):
        assert abs(len(cell.rows.indices) / scene.length - share) < 5 * np.sqrt(share / scene.length)
    assert sum(cell.spec.share for cell in cells) == pytest.approx(1)


def test_windows_raise_alarms_at_the_expected_rows() -> None:
    """Wilson's bound equals that of statsmodels; after an alarm the window starts empty."""
    assert wilson(np.array(0.03), 1000) == pytest.approx(0.021093738828834696, rel=1e-12)
    assert first_spaced(np.array([3, 4, 8, 9, 13]), 5).tolist() == [3, 8, 13]
    rows = Rows.whole(np.repeat([0.0, 1.0, 0.0], 10))
    spec = CellSpec(Hypothesis.RATE, 0.5, rows.y, window=10)
    assert Tumbling().alarms(spec, rows, 30).tolist() == [19]
    assert Sliding().alarms(spec, rows, 30).tolist() == [18]


@pytest.mark.parametrize(("sliding", "needed"), [(False, 37), (True, 40)])
def test_windows_at_the_budget_are_exact(sliding: bool, needed: int) -> None:  # noqa: FBT001 - a parameter
    """In 1,000 rows at 2 %, at least 37 ones have a probability of at most 1,000 / A, at least 40 an eighth of that."""
    for ones, alarms in ((needed - 1, []), (needed, [999])):
        rows = Rows.whole(np.repeat([1.0, 0.0], [ones, 1000 - ones]))
        spec = CellSpec(Hypothesis.RATE, 0.02, rows.y)
        assert Budgeted("", sliding).alarms(spec, rows, 1000).tolist() == alarms


def test_lanes_equal_those_of_the_product() -> None:
    """The first alarm is at the row at which the product's lanes, with ticks of one row, raise it."""
    random = np.random.default_rng(8)
    y = (random.random(6_000) < 0.2).astype(float)
    spec, test = CellSpec(Hypothesis.RATE, 0.02, y, share=0.25), Bernoulli.above(0.02)
    log_mass = np.full((10, 6), LOG_ZERO)
    for index, value in enumerate(y.astype(np.int64)):
        lane = index % 10
        log_mass[lane] = detector.advance(log_mass[lane], 0.25, test.log_e(np.int64(1), value))
        if test.evidence(log_mass[lane]) >= np.log(SAMPLES_PER_FALSE_ALARM):
            break
    assert Interleaved().alarms(spec, Rows.whole(y), len(y))[0] == index


def test_the_picture_shows_every_method_without_fonts() -> None:
    """Each method has a label, also without any alarm, and the picture loads no resource."""
    points = [
        Point("one & all", 0.0, 300, 900, jumpy=False, ours=True),
        Point("two", 0.0, 310, np.inf, jumpy=True, ours=False),
    ]
    drawn = svg(points, 0.05)
    assert "one &amp; all" in drawn
    assert "two" in drawn
    assert "url(" not in drawn
    assert Cost("loop") is Cost.LOOP
