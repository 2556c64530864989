"""Critical classes, and all others together, in subgroups of a model with many classes, through the whole judgement."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement import exact_detector
from tests.support.judgement.comparisons import RowSource, bit_exact, judge_rows, make_comparisons
from tests.support.judgement.ticks import seeded_evidence
from tightrope.monitors import watch
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE, OTHER_CLASSES
from tightrope.monitors.decide import apply_order
from tightrope.monitors.definitions.definition import Reach
from tightrope.monitors.dependence.units import EvidenceUnit, Independence
from tightrope.monitors.detector import LOG_ZERO, Bernoulli, advance
from tightrope.monitors.migration import mark_known_harm, migrate_state, scope_records
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import MODEL_SCOPE, Comparisons, Floats, Order, Outcome
from tightrope.monitors.safemode import Input
from tightrope.monitors.status.verdicts import verdicts
from tightrope.service.inference.kinds.class_cells import subgroup_cells

CLASSES = tuple(f"class {index}" for index in range(30))
CRITICAL = ("class 4", "class 11")
SCOPES = ("half=first", "half=second")
LIMITS = np.array([0.1, 0.2, 0.2])
MONITORS = ("class_miss", "class_gain")
GOLDEN_CRITICAL, GOLDEN_OTHERS = 3.921020495847092, -4.848533027367239


def plan_of(samples: float = 3.15e8, critical: tuple[str, ...] = CRITICAL, **changes: object) -> Plan:
    """A plan of the class monitors of thirty classes, of a model with two subgroups."""
    specs = []
    for name in MONITORS:
        own = MonitorSpec(replace(CATALOGUE[name], reach=Reach.MODEL), CLASSES, LIMITS[:1], critical=critical)
        others = subgroup_cells(own, CLASSES, LIMITS)
        specs += [own] if others is None else [own, others]
    rules = build_rules(specs, recovery_ratio=0.75)
    plan = Plan("m", "b1", "c1", (MODEL_SCOPE, *SCOPES), np.ones(3), rules, Budget(samples), tick_seconds=1e9)
    return replace(plan, unit=EvidenceUnit(Independence.REQUEST), digest="d1", **changes)  # type: ignore[arg-type]


def drawn(n: int, seed: int, rate: float, source: RowSource | None = None) -> Comparisons:
    """Draw rows of all classes, each row in one of the subgroups, that differ at this rate."""
    rng = np.random.default_rng(seed)
    baseline, first = rng.integers(0, len(CLASSES), n), rng.random(n) < 0.5
    compressed = np.where(rng.random(n) < rate, (baseline + rng.integers(1, len(CLASSES), n)) % 30, baseline)
    columns = {"member": np.stack([first, ~first], axis=1), "top_baseline": baseline, "top_compressed": compressed}
    given = {"scopes": SCOPES, "disagree": baseline != compressed, **columns}
    return make_comparisons(n, **given) if source is None else source.rows(n, **given)


def losing(n: int, *, share: float = 0.06) -> Comparisons:
    """Build rows; the compressed model never says class 11 in the first half, and no other row differs."""
    rng = np.random.default_rng(4)
    said = np.where(rng.random(n) < share, 11, rng.integers(12, 30, n))
    first = rng.random(n) < 0.5
    compressed = np.where((said == 11) & first, 20, said)
    member = np.stack([first, ~first], axis=1)
    return make_comparisons(
        n, scopes=SCOPES, member=member, top_baseline=said, top_compressed=compressed, disagree=compressed != said
    )


def test_critical_class_that_is_lost_in_a_subgroup_is_named_and_moves_it_alone() -> None:
    """3 % of all rows are missed; the other subgroup, and the model without these rows, go on."""
    state, transitions = judge_rows(plan_of(), losing(2_000))
    assert {each.scope for each in transitions if each.after.safe} == {"half=first"}
    (case,) = transitions[0].evidence["monitors"]  # type: ignore[misc]
    assert (case["monitor"], case["variant"], case["limit"]) == ("class_miss", "class 11", 0.2)
    shown = {(v.scope, v.variant) for v in verdicts(plan_of(), state) if v.outcome is Outcome.BREACH}
    assert shown == {("half=first", "class 11")}


def test_other_classes_are_watched_together() -> None:
    """No class that differs is critical: half of the rows of the others differ in one subgroup."""
    rows = drawn(3_000, 5, 0.0)
    harmed = rows.member[:, 0] & (np.arange(3_000) % 2 == 0) & ~np.isin(rows.top_baseline, (4, 11))
    compressed = np.where(harmed, 4, rows.top_baseline)
    _, transitions = judge_rows(plan_of(), replace(rows, top_compressed=compressed, disagree=harmed))
    cases = [case for each in transitions for case in each.evidence["monitors"]]  # type: ignore[attr-defined]
    found = {(case["monitor"], case["variant"]) for case in cases}
    assert {("class_miss", OTHER_CLASSES), ("class_gain", "class 4")} & found
    assert {each.scope for each in transitions} == {"half=first"}


def test_cells_in_a_subgroup_have_the_exact_masses() -> None:
    """By rational numbers: the limit .2 has the alternatives .25, .3, .4, .6 and .85, seeded by all rows."""
    rows, plan = drawn(192, 6, 0.3), plan_of()
    state, _ = judge_rows(plan, rows)
    rule, cells = plan.rules[1], state.cells[1]
    ratios = [
        exact_detector.likelihood_ratio(Fraction(q), Fraction(1, 5)) for q in ("1/4", "3/10", "2/5", "3/5", "17/20")
    ]
    # 0.2 of the budget over two monitors of two subgroups: half for the two critical classes, half for all others.
    for variant, share in ((0, Fraction(1, 80)), (2, Fraction(1, 40))):
        own = rows.top_baseline == 4 if variant == 0 else ~np.isin(rows.top_baseline, (4, 11))
        ticks = [
            (share * 64, rows.disagree[begin : begin + 64][(own & rows.member[:, 0])[begin : begin + 64]].tolist())
            for begin in range(0, 192, 64)
        ]
        exact = exact_detector.evidence(ticks, ratios)[-1]
        assert seeded_evidence(rule, cells)[variant, 1] == pytest.approx(exact, abs=1e-9)


def test_golden_masses() -> None:
    """Computed by hand with fractions: three ticks of 64 rows with 3 of 5, none, and 4 of 6 own rows missed."""
    baseline, missed = np.full(192, 20), np.zeros(192, dtype=bool)
    for begin, own, ones in ((0, 5, 3), (128, 6, 4)):
        baseline[begin : begin + own] = 4
        missed[begin : begin + ones] = True
    member = np.stack([np.ones(192, dtype=bool), np.zeros(192, dtype=bool)], axis=1)
    rows = make_comparisons(
        192,
        scopes=SCOPES,
        member=member,
        top_baseline=baseline,
        top_compressed=np.where(missed, 21, baseline),
        disagree=missed,
    )
    state, _ = judge_rows(plan_of(1e9), rows)
    evidence = plan_of().rules[1].alarm.evidence(state.cells[1].log_mass)
    assert evidence[0, 1] == pytest.approx(GOLDEN_CRITICAL, abs=1e-9)
    assert evidence[2, 1] == pytest.approx(GOLDEN_OTHERS, abs=1e-9)


@settings(deadline=None, max_examples=10)
@given(cuts=st.lists(st.integers(0, 640), max_size=6).map(sorted), seed=st.integers(0, 50))
def test_batching_changes_no_bit(cuts: list[int], seed: int) -> None:
    """The rows may be polled in any batches, also while scopes move."""
    rows, plan = drawn(640, seed, 0.5), plan_of(1e3)
    parts = [rows.take(slice(begin, end)) for begin, end in pairwise([0, *cuts, 640])]
    once, at_once = judge_rows(plan, rows)
    split, made = judge_rows(plan, *parts)
    assert bit_exact(split) == bit_exact(once)
    assert bit_exact(made) == bit_exact(at_once)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 100), rate=st.sampled_from([0.05, 0.2, 0.4]))
def test_waiting_seeds_give_the_mass_of_seeds_at_once(seed: int, rate: float) -> None:
    """Each cell of a subgroup, seeded in every tick whether it has rows or not."""
    rows, plan = drawn(448, seed, rate), plan_of(1e300)
    state, _ = judge_rows(plan, rows)
    rule, cells = plan.rules[1], state.cells[1]
    shares = rule.shares * rule.weights
    for scope in (1, 2):
        for variant, own in enumerate([rows.top_baseline == 4, rows.top_baseline == 11]):
            test, eager = Bernoulli.above(0.2), np.full(rule.alarm.width, LOG_ZERO)
            for begin in range(0, 448, 64):
                mine = (own & rows.member[:, scope - 1])[begin : begin + 64]
                ones = (rows.disagree[begin : begin + 64] & mine).sum()
                eager = advance(eager, shares[variant, scope] * 64, test.log_e(mine.sum(), ones))
            lazy = seeded_evidence(rule, cells)[variant, scope]
            assert lazy == pytest.approx(float(test.evidence(eager)), abs=1e-9)


def held(plan: Plan, state: State) -> State:
    """Hold every scope in normal mode: alarms are recorded, and with the order their detectors start anew."""
    for scope, mode in zip(plan.scopes, state.modes, strict=True):
        if not mode.held or mode.breached:
            order = Order(scope, 0.0, "m", scope, "force-normal", "eve", "to count")
            state = apply_order(plan, state, order)[0]
    return state


def test_rows_at_the_limits_alarm_no_more_often_than_promised() -> None:
    """Every class at the limit of a subgroup, so that all of the subgroups' share is at stake; A is 300."""
    plan, source, alarms, rows = plan_of(300.0), RowSource(), 0, 0
    # The model's limit is half of that: without its cells only the subgroups speak.
    plan = replace(plan, rules=plan.rules[1::2])
    state = held(plan, initial_state(plan))
    for seed in range(24):
        state, transitions = watch.step(plan, state, drawn(2_048, seed, 0.2, source))
        cases = [each.evidence["monitors"] for each in transitions if each.trigger is Input.BREACH]
        alarms += sum(len(monitors) for monitors in cases if isinstance(monitors, list))
        rows += 2_048
        state = held(plan, state)
    assert 0 < alarms <= 0.2 * rows / 300


def tripped_of(state: State) -> dict[str, Floats]:
    """The tripped cells of the rules that watch subgroups, by monitor."""
    return {name: state.cells[index].tripped for name, index in (("class_miss", 1), ("class_gain", 3))}


def test_scope_still_has_to_disprove_its_class_under_another_plan() -> None:
    """The one that tripped it; no cell of the model is marked, which only the model's own cells could disprove."""
    state, _ = judge_rows(plan_of(), losing(2_000))
    after = migrate_state(plan_of(samples=1e9), replace(state, digest="before"))
    assert tripped_of(after)["class_miss"].T.tolist() == [[False] * 3, [False, True, False], [False] * 3]
    assert scope_records(after)["half=first"].monitors == ("class_miss",)
    assert after.retained.disabled == {}


def test_scope_cannot_return_once_its_class_is_watched_no_more() -> None:
    """Without critical classes the subgroups have no cell that could disprove the harm."""
    state, _ = judge_rows(plan_of(), losing(2_000))
    after = migrate_state(plan_of(critical=()), replace(state, digest="before"))
    assert after.retained.disabled == {"half=first": ("class_miss",)}


def test_harm_of_the_whole_model_marks_no_cell_of_subgroups() -> None:
    """Known of the pair, or of another plan: a marked cell without rows would hold the model for ever."""
    record = replace(scope_records(initial_state(plan_of()))[MODEL_SCOPE], monitors=("class_miss",))
    marked = mark_known_harm(plan_of(), initial_state(plan_of()), 0, record)
    for state in (marked, migrate_state(plan_of(), replace(marked, digest="before"))):
        assert state.cells[0].tripped.all()
        assert not tripped_of(state)["class_miss"].any()
