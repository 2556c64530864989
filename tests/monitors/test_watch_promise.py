"""The promise for the whole: all monitors, variants and subgroups together, every one of them exactly at its limit."""

import numpy as np

from tests.support.judgement.comparisons import Traffic, plan
from tightrope.monitors import watch
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.decide import order
from tightrope.monitors.plan import Plan, State, Transition, start
from tightrope.monitors.records import Comparisons, Floats, Order, Stream
from tightrope.monitors.safemode import Input

SEED = 20_241_121
BUDGET = 1e4
BATCH, BATCHES = 16_384, 16
SCOPES = ("half=ill", "half=well")


def unruly(rng: np.random.Generator, source: Traffic) -> Comparisons:
    """Rows of which half are ill: twice what the model may be, which is what a subgroup may be; the rest is well."""
    ill = np.arange(BATCH) % 2 == 0
    roll: Floats = rng.random((6, BATCH))
    disagree = ill & (roll[0] < 0.04)
    sure = np.where(disagree, rng.uniform(0.55, 0.68, BATCH), rng.uniform(0.5, 0.95, BATCH))
    unsure = np.clip(sure + np.where(ill, 0.04, 0.0) + rng.uniform(-0.01, 0.01, BATCH), 0, 1)
    refused = roll[1] < 0.05
    kept = refused & ~(ill & (roll[2] < 0.2)) | (~refused & ill & (roll[3] < 0.03 / 0.95))
    right = roll[4] < unsure - 0.05
    only = np.where(disagree, 0.3, (0.01 - 0.02 * 0.3) / 0.98)
    correct_baseline = right | (~right & (roll[5] < only / (1 - (unsure - 0.05))))
    return source.rows(
        BATCH,
        scopes=SCOPES,
        member=np.stack([ill, ~ill], axis=1),
        disagree=disagree,
        top_baseline=0,
        top_compressed=disagree,
        confidence_baseline=sure,
        confidence_compressed=unsure,
        refused_baseline=refused,
        refused_compressed=kept,
        correct_baseline=correct_baseline,
        correct_compressed=right,
    )


def held(of: Plan) -> State:
    """Nobody is moved: every alarm is noted, and its detectors start anew."""
    state = start(of)
    for scope in of.scopes:
        state = order(of, state, Order(scope, 0.0, "m", scope, "force-normal", "eve", "to count"))[0]
    return state


def alarms(happened: list[Transition]) -> list[tuple[str, str]]:
    """One for every monitor and scope that was over the budget."""
    found = []
    for transition in happened:
        monitors = transition.evidence["monitors"]
        assert isinstance(monitors, list)
        found += [(transition.scope, str(one["monitor"])) for one in monitors if transition.what is Input.BREACH]
    return found


def test_false_alarms_of_everything_together_keep_to_the_one_budget() -> None:
    """At most one in A rows, of ten questions, two subgroups and all variants, every row labelled: 26 were allowed, and
    a tenth of that shows that somebody listened.
    """
    of = plan(scopes=SCOPES, samples=BUDGET)
    assert len(of.rules) == len(CATALOGUE)
    state, rng, source = held(of), np.random.default_rng(SEED), Traffic()
    found: list[tuple[str, str]] = []
    for _ in range(BATCHES):
        rows = unruly(rng, source)
        for stream in Stream:
            state, happened = watch.step(of, state, rows, stream)
            found += alarms(happened)
    allowed = BATCH * BATCHES / BUDGET
    assert allowed / 10 < len(found) <= allowed + 3 * np.sqrt(allowed), sorted(found)
    assert {scope for scope, _ in found} <= {"model", "half=ill"}
