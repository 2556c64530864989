"""A breach of the model that comes from one class of hosts is that class's."""

from dataclasses import replace

import numpy as np

from tests.support.judgement.comparisons import RowSource, judge_rows, make_plan
from tightrope.monitors.boundaries.host_breaches import with_source
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Comparisons
from tightrope.monitors.watched_groups.plans import judged_plan

PLAN = make_plan("disagreement", scopes=(), samples=1e30)
"""A budget at which nothing trips."""


def judged(*rates: float, rows: int = 1_024) -> tuple[Plan, State]:
    """Two or more classes of hosts in turn, each with its own rate."""
    rng, source = np.random.default_rng(1), RowSource()
    number = np.arange(rows) % len(rates)
    differs = rng.random(rows) < np.array(rates)[number]
    names = np.array([f"class {index}" for index in range(len(rates))], object)
    given: Comparisons = replace(source.rows(rows, scopes=(), disagree=differs), host_class=names[number])
    state, moved = judge_rows(PLAN, given)
    assert moved == []
    plan = judged_plan(PLAN, state)
    return replace(plan, budget=replace(plan.budget, samples=1.5)), state


def sources(*rates: float) -> list[str]:
    """The scopes that take the place of the model's breach."""
    plan, state = judged(*rates)
    _, breached, reasons = with_source(plan, state, [0])
    assert {*reasons} == {*breached} - {0}
    return [plan.scopes[index] for index in breached]


def test_harmful_class_takes_the_place_of_the_model() -> None:
    """It has to disprove the model's monitor."""
    assert sources(0.0, 0.05) == ["host=class 1"]
    plan, state = judged(0.0, 0.05)
    marked, (host,), _ = with_source(plan, state, [0])
    assert marked.cells[0].tripped[0].tolist() == [index == host for index in range(len(plan.scopes))]


def test_harm_of_all_classes_is_the_models() -> None:
    """Without either class the model would still be near its limit."""
    assert sources(0.08, 0.08) == ["model"]
    assert sources(0.05, 0.08, 0.06) == ["model"]


def test_class_that_breaches_itself_needs_no_other_reason() -> None:
    """Then the order of breaches decides: subgroups before the model."""
    plan, state = judged(0.0, 0.05)
    own = plan.scopes.index("host=class 1")
    assert with_source(plan, state, [own, 0]) == (state, [own, 0], {})


def test_model_without_classes_of_hosts_breaches_itself() -> None:
    """As before."""
    plan, state = judged(0.05)
    assert with_source(plan, state, [0]) == (state, [0], {})
