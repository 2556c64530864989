"""The guarantee for the whole: all monitors, variants and subgroups together, each exactly at its limit."""

import numpy as np

from tests.support.judgement.comparisons import CLASS_MONITORS, RowSource, make_plan
from tightrope.monitors import watch
from tightrope.monitors.decide import apply_order
from tightrope.monitors.plan import Plan, State, Transition, initial_state
from tightrope.monitors.records import Comparisons, Floats, Order, Stream
from tightrope.monitors.safemode import Input

SEED = 20_241_121
BUDGET = 3e3
BATCH, BATCHES = 16_384, 16
SCOPES = ("half=harmed", "half=sound")


def rows_at_the_limits(rng: np.random.Generator, source: RowSource) -> Comparisons:
    """Build rows, half of them at twice the model's limits, which are the subgroup's limits; the rest sound."""
    harmed = np.arange(BATCH) % 2 == 0
    random: Floats = rng.random((6, BATCH))
    disagree = harmed & (random[0] < 0.04)
    confident = np.where(disagree, rng.uniform(0.55, 0.68, BATCH), rng.uniform(0.5, 0.95, BATCH))
    compressed_confidence = np.clip(confident + np.where(harmed, 0.04, 0.0) + rng.uniform(-0.01, 0.01, BATCH), 0, 1)
    refused = random[1] < 0.05
    kept_refusals = refused & ~(harmed & (random[2] < 0.2)) | (~refused & harmed & (random[3] < 0.03 / 0.95))
    correct = random[4] < compressed_confidence - 0.05
    baseline_alone = np.where(disagree, 0.3, (0.01 - 0.02 * 0.3) / 0.98)
    correct_baseline = correct | (~correct & (random[5] < baseline_alone / (1 - (compressed_confidence - 0.05))))
    return source.rows(
        BATCH,
        scopes=SCOPES,
        member=np.stack([harmed, ~harmed], axis=1),
        disagree=disagree,
        top_baseline=0,
        top_compressed=disagree,
        confidence_baseline=confident,
        confidence_compressed=compressed_confidence,
        refused_baseline=refused,
        refused_compressed=kept_refusals,
        correct_baseline=correct_baseline,
        correct_compressed=correct,
    )


def held(plan: Plan, state: State) -> State:
    """Hold every scope in normal mode: alarms are recorded, and with the order their detectors start anew."""
    for scope, mode in zip(plan.scopes, state.modes, strict=True):
        if mode.held and not mode.breached:
            continue
        state = apply_order(plan, state, Order(scope, 0.0, "m", scope, "force-normal", "eve", "to count"))[0]
    return state


def alarms(transitions: list[Transition]) -> list[tuple[str, str]]:
    """List every monitor and scope that was over the budget."""
    alarmed = []
    for transition in transitions:
        monitors = transition.evidence["monitors"]
        assert isinstance(monitors, list)
        alarmed += [(transition.scope, str(one["monitor"])) for one in monitors if transition.trigger is Input.BREACH]
    return alarmed


def test_false_alarms_of_all_cells_together_keep_the_one_budget() -> None:
    """At most one in A rows, for eleven monitors, two subgroups and all variants, with every row labelled.

    87 alarms are allowed, and a tenth of that shows that the detectors are active.
    """
    monitors = [name for name, monitor in CLASS_MONITORS.items() if monitor.class_of is None]
    plan = make_plan(*monitors, scopes=SCOPES, samples=BUDGET)  # of classes: tests/benchmarks/test_class_alarms.py
    assert len(plan.rules) == len(CLASS_MONITORS) - 2
    state, rng, source = held(plan, initial_state(plan)), np.random.default_rng(SEED), RowSource()
    alarmed: list[tuple[str, str]] = []
    for _ in range(BATCHES):
        rows = rows_at_the_limits(rng, source)
        for stream in Stream:
            state, transitions = watch.step(plan, state, rows, stream)
            alarmed += alarms(transitions)
            state = held(plan, state)
    allowed = BATCH * BATCHES / BUDGET
    assert allowed / 10 < len(alarmed) <= allowed + 3 * np.sqrt(allowed), sorted(alarmed)
    assert {scope for scope, _ in alarmed} <= {"model", "half=harmed"}
