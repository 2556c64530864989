"""A class that the model says too often narrows safe mode to the answers that say it, through the whole judgement."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import RowSource, bit_exact, judge_rows, make_plan
from tightrope.monitors.boundaries.asked_classes import GAIN_MONITOR, asked_rows, class_titles
from tightrope.monitors.decide import Cause, apply_input, apply_order, deploy, enter_blind, enter_unreadable
from tightrope.monitors.migration import still_asked
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import Comparisons, Order
from tightrope.monitors.safemode import Input, Mode, ModeState, Policy
from tightrope.monitors.watch import build_routes

CLASSES, HARMED, TICK = 10, 3, 64
POLICY = Policy(min_dwell=0.0, recovery_samples=100.0)


def plan_of(*monitors: str, askable: tuple[int, ...] = tuple(range(CLASSES)), **changes: object) -> Plan:
    """A plan of ten classes, that asks each of them again."""
    chosen = monitors or ("disagreement", "class_miss", "class_gain")
    given_ = {"askable": askable, "samples": 1e4, "classes": CLASSES, "policy": POLICY} | changes
    return make_plan(*chosen, scopes=("group=a",), **given_)  # type: ignore[arg-type]


def said_too_often(
    source: RowSource, n: int, *, wrong: float = 0.012, right: float = 0.01, others: float = 0.0, group: float = 0.0
) -> Comparisons:
    """Rows of nine classes and ``right`` of a rare one, which the compressed model says on ``wrong`` of the rows as
    well; it differs on ``others`` too, and on all of a ``group`` of the rows.
    """
    rng = np.random.default_rng(source.offset + 1)
    common = np.delete(np.arange(CLASSES), HARMED)
    u, member = rng.random(n), rng.random(n) < group
    baseline = np.where(u < right, HARMED, common[rng.integers(0, CLASSES - 1, n)])
    other = common[(np.searchsorted(common, baseline) + 1) % len(common)]
    compressed = np.where(((rng.random(n) < others) | member) & (baseline != HARMED), other, baseline)
    compressed = np.where((u > 1 - wrong) & ~member, HARMED, compressed)
    return source.rows(
        n,
        member=member[:, None],
        top_baseline=baseline,
        top_compressed=compressed,
        disagree=baseline != compressed,
    )


def narrowed(plan: Plan, source: RowSource) -> State:
    """The state once the rare class is asked again."""
    state, transitions = judge_rows(plan, said_too_often(source, 8192))
    assert [(t.scope, t.trigger, t.moved) for t in transitions if t.trigger is Input.BREACH] == [
        ("model", Input.BREACH, True)
    ]
    assert state.modes[0].narrow
    return state


def test_gain_of_a_class_is_asked_again_and_nothing_else_moves() -> None:
    """The routes name the model as safe, for readers that know no classes, and the class beside it."""
    plan = plan_of()
    state, transitions = judge_rows(plan, said_too_often(RowSource(), 8192))
    (breach,) = (t for t in transitions if t.trigger is Input.BREACH)
    assert [case["monitor"] for case in breach.evidence["monitors"]] == ["class_gain"]  # type: ignore[attr-defined]
    assert "only answers that say one of these classes are asked again of the baseline: 3" in breach.reason
    routes = build_routes(plan, state)
    assert (routes.safe, routes.asked, routes.states["model"]) == (("model",), (HARMED,), "safe")


def test_without_the_setting_the_whole_model_falls_back() -> None:
    """That is the default."""
    plan = plan_of(askable=())
    state, _ = judge_rows(plan, said_too_often(RowSource(), 8192))
    assert (state.modes[0].state, state.modes[0].asked) == (ModeState.SAFE, ())
    assert build_routes(plan, state).asked == ()


def test_advisory_model_asks_nothing_again() -> None:
    """The breach is recorded, as any other is."""
    plan = plan_of(armed=False)
    routes = build_routes(plan, narrowed(plan, RowSource()))
    assert (routes.safe, routes.asked) == ((), ())


@pytest.mark.parametrize("askable", [(0, 1), ()])
def test_gain_of_a_class_that_is_not_asked_again_moves_the_model(askable: tuple[int, ...]) -> None:
    """As of the cell that all classes without one of their own share."""
    plan = plan_of(askable=askable)
    state, _ = judge_rows(plan, said_too_often(RowSource(), 8192))
    assert state.modes[0].whole


def test_other_evidence_moves_the_whole_model() -> None:
    """At the same tick: a missed row is known only after the baseline was asked."""
    plan = plan_of(tick_rows=4096)
    state, transitions = judge_rows(plan, said_too_often(RowSource(), 4096, wrong=0.1, others=0.2))
    (breach,) = (t for t in transitions if t.trigger is Input.BREACH)
    assert {"class_gain", "disagreement"} <= {case["monitor"] for case in breach.evidence["monitors"]}  # type: ignore[attr-defined]
    assert state.modes[0].whole


def test_rows_that_are_asked_again_count_for_the_return_alone() -> None:
    """Nine in a hundred rows are repaired by the baseline: disagreement, with its limit of two, does not count them."""
    plan, source = plan_of(), RowSource()
    before = narrowed(plan, source)
    rows = said_too_often(source, 8192, wrong=0.09)
    state, transitions = judge_rows(plan, rows, state=before)
    assert [t.trigger for t in transitions if t.trigger is Input.BREACH] == []
    assert state.modes[0].asked == (HARMED,)
    disagreement, _, gain = state.cells
    said = int((rows.top_compressed == HARMED).sum())
    assert disagreement.count[0, 0] - before.cells[0].count[0, 0] == len(rows) - said
    assert disagreement.total[0, 0] == before.cells[0].total[0, 0]
    assert gain.count[HARMED, 0] - before.cells[2].count[HARMED, 0] == said


def test_harm_besides_widens_the_model() -> None:
    """The other monitors go on, and the event says that all of it falls back."""
    plan, source = plan_of(), RowSource()
    before = narrowed(plan, source)
    state, transitions = judge_rows(plan, said_too_often(source, 4096, others=0.2), state=before)
    breach = next(t for t in transitions if t.trigger is Input.BREACH)
    assert [t.moved for t in transitions if t.trigger is Input.BREACH].count(True) == 1
    assert (breach.moved, state.modes[0].whole, build_routes(plan, state).asked) == (True, True, ())
    assert "the baseline answers all of it from now on" in breach.reason
    assert state.cells[0].tripped[0, 0]
    assert state.cells[2].tripped[HARMED, 0]


def test_subgroup_is_judged_while_the_model_is_narrow() -> None:
    """The compressed model answers it; the model stays narrow."""
    plan, source = plan_of(), RowSource()
    before = narrowed(plan, source)
    state, transitions = judge_rows(plan, said_too_often(source, 4096, group=0.02), state=before)
    assert ("group=a", Input.BREACH) in [(t.scope, t.trigger) for t in transitions]
    assert state.modes[0].narrow
    assert build_routes(plan, state).safe == ("model", "group=a")


def test_return_takes_evidence_of_the_class() -> None:
    """Its own rows disprove the gain, though the caller gets the baseline's answer."""
    plan, source = plan_of(), RowSource()
    before = narrowed(plan, source)
    state, transitions = judge_rows(plan, said_too_often(source, 20_480, wrong=0.0), state=before)
    assert [t.trigger for t in transitions][-1] is Input.RECOVERED
    assert (state.modes[0].state, state.modes[0].asked, build_routes(plan, state).safe) == (ModeState.NORMAL, (), ())
    again, transitions = judge_rows(plan, said_too_often(source, 8192), state=state)
    assert (again.modes[0].flaps, again.modes[0].narrow) == (1, True)


def test_second_class_is_asked_again_with_the_first() -> None:
    """A further gain alone widens nothing."""
    plan, source = plan_of(), RowSource()
    state = narrowed(plan, source)
    rows, number = said_too_often(source, 16_384), np.arange(16_384)
    baseline = np.where(rows.top_baseline == 5, 4, rows.top_baseline)  # class 5 is never right, and said once in 80
    compressed = np.where(rows.top_compressed == 5, 4, rows.top_compressed)
    compressed = np.where((number % 80 == 0) & (compressed != HARMED), 5, compressed)
    rare = replace(rows, top_baseline=baseline, top_compressed=compressed, disagree=baseline != compressed)
    after, _ = judge_rows(plan, rare, state=state)
    assert after.modes[0].asked == (HARMED, 5)


def test_what_else_makes_a_model_unsafe_widens_it() -> None:
    """Blindness, an unreadable state, another artefact, an operator's order; its end leaves the whole model safe."""
    plan, source = plan_of(), RowSource()
    state, cause = narrowed(plan, source), Cause(source.time)
    assert enter_blind(plan, state, cause)[0].modes[0].whole
    assert enter_unreadable(plan, state, cause)[0].modes[0].whole
    assert deploy(replace(plan, compressed_digest="c2", digest="d2"), state, cause)[0].modes[0].whole
    forced, event = apply_order(plan, state, Order("o", source.time, "m", "model", "force-safe", "eve", "be sure"))
    assert (forced.modes[0].whole, event.moved) == (True, True)
    released, _ = apply_order(plan, forced, Order("p", source.time, "m", "model", "release", "eve", "done"))
    assert released.modes[0].whole


def test_end_of_the_dwell_leaves_it_narrow() -> None:
    """Nothing new is known by then."""
    plan = plan_of(policy=Policy(min_dwell=100.0))
    state = narrowed(plan, RowSource())
    state = replace(state, modes=(replace(state.modes[0], dwelling=True), *state.modes[1:]))
    assert apply_input(plan, state, 0, Input.DWELL_ELAPSED, Cause(1e6), []).modes[0].asked == (HARMED,)


def test_plan_that_does_not_ask_again_widens_a_stored_state() -> None:
    """A setting that is switched off, or a class that is gone."""
    modes = (Mode(ModeState.SAFE, asked=(1, 3)), Mode())
    assert still_asked(plan_of(), modes) == modes
    assert still_asked(plan_of(askable=(0, 1)), modes)[0].whole
    state = narrowed(plan_of(), RowSource())
    off = replace(plan_of(askable=()), settings={"class_gain": "fall_back"})
    changed, _ = deploy(off, state, Cause(0.0))
    assert (changed.modes[0].whole, changed.epoch) == (True, state.epoch + 1)


def test_rows_are_asked_again_by_what_the_compressed_model_says() -> None:
    """A row without a class cannot say one."""
    rows = RowSource().rows(3, top_compressed=[3, 1, -1], member=False)
    assert asked_rows(Mode(ModeState.SAFE, asked=(3,)), rows).tolist() == [True, False, False]
    assert not asked_rows(Mode(ModeState.LATCHED, asked=(3,)), rows).any()
    assert not asked_rows(Mode(), rows).any()


@settings(deadline=None, max_examples=10)
@given(cuts=st.lists(st.integers(1, 16_383), max_size=6, unique=True))
def test_batching_changes_nothing(cuts: list[int]) -> None:
    """Not even around the tick that narrows the model."""
    plan, rows = plan_of(), said_too_often(RowSource(), 16_384, wrong=0.03)
    whole = judge_rows(plan, rows)[0]
    ends = [0, *sorted(cuts), len(rows)]
    parts = [rows.take(slice(begin, end)) for begin, end in pairwise(ends)]
    assert bit_exact(judge_rows(plan, *parts)[0]) == bit_exact(whole)
    assert initial_state(plan).modes[0].asked == ()


def test_classes_have_the_names_of_their_monitors() -> None:
    """A number stands for one that is no longer watched."""
    plan = plan_of()
    (gain,) = (rule for rule in plan.rules if rule.monitor.name == GAIN_MONITOR)
    assert class_titles(plan, (5, HARMED)) == (gain.variants[HARMED], gain.variants[5])
    assert class_titles(plan, (10_000,)) == ("10000",)
    assert class_titles(plan, ()) == ()
