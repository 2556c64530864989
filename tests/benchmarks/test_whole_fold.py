"""With everything on, rows that depend on each other keep the promise on false alarms."""

import numpy as np
import pytest

from benchmarks.whole_fold import CLASSES, PATTERNS, batches, build_plan, count_alarms, draw_rows
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.clear_rows.clear_margin import CLEAR_QUANTILE
from tightrope.monitors.definitions.definition import Need
from tightrope.monitors.dependence.units import request_numbers
from tightrope.monitors.records import Stream
from tightrope.monitors.watched_groups.plans import with_margin

BUDGET, BATCH = 1e3, 512
ROWS = {"20 callers in turn, bursts of 20": 131_072}
"""Where callers are unknown their bursts alarm for thousands of rows before the warning: the promise is about many."""


@pytest.mark.parametrize("callers", [False, True])
@pytest.mark.parametrize("name", PATTERNS)
def test_all_monitors_together_alarm_no_more_often_than_promised(name: str, *, callers: bool) -> None:
    """At most one in A rows, for every monitor in 23 scopes, fifty classes and labels."""
    rows = 32_768 if callers else ROWS.get(name, 32_768)
    alarms = count_alarms(build_plan(BUDGET, callers=callers), name, rows, seed=0, batch_rows=BATCH)
    assert alarms.total <= rows / BUDGET


def test_detectors_of_independent_rows_are_active() -> None:
    """Rows at the limit alarm now and then; a rate above it at once."""
    assert count_alarms(build_plan(BUDGET), "independent, at the limits", 32_768, seed=0, batch_rows=BATCH).total > 0


def test_plan_has_every_monitor_of_a_classifier_and_uses_no_more_than_the_budget() -> None:
    """All but those of values, and the mix of many classes, which has no variants."""
    plan = build_plan(BUDGET)
    classifiers = {name for name, monitor in CATALOGUE.items() if Need.VALUE not in monitor.needs}
    assert set(plan.monitors) == {name for name in classifiers if CATALOGUE[name].variants(CLASSES)}
    assert len(plan.scopes) == 23
    assert sum(float(rule.shares.sum()) * len(rule.variants) for rule in plan.rules) <= 1


@pytest.mark.parametrize("name", PATTERNS)
def test_rows_are_within_every_limit(name: str) -> None:
    """The rows whose draws no other row repeats are independent of each other: their rates and means hold."""
    plan, rng = with_margin(build_plan(BUDGET), CLEAR_QUANTILE), np.random.default_rng(5)
    pattern = PATTERNS[name](rng, 200_000)
    rows = draw_rows(rng, plan, pattern).take(pattern.source == np.arange(200_000))
    for rule in plan.rules:
        valid, y = rule.monitor.observe_variants(rows, len(rule.variants))
        for variant in range(len(rule.variants)):
            values = y[np.broadcast_to(valid, y.shape)[:, variant], variant]
            slack = 4 * values.std() / np.sqrt(len(values))
            upper = values.mean() if rule.monitor.hypothesis in {"rate", "upper"} else abs(values.mean())
            assert upper <= rule.limits[0] + slack, (rule.monitor.name, variant)


def test_batches_hold_whole_requests() -> None:
    """No request is cut in two."""
    plan, rng = build_plan(BUDGET), np.random.default_rng(0)
    pattern = PATTERNS["requests of 32 rows, half of them alike"](rng, 4_096)
    parts = list(batches(draw_rows(rng, plan, pattern), pattern.request, 500))
    assert sum(map(len, parts)) == 4_096
    assert all(len(part) % 32 == 0 for part in parts)


def test_rows_of_a_request_are_one_request_as_on_the_wire() -> None:
    """They share id, time and place in the log, so each request is one step of evidence."""
    plan, rng = build_plan(BUDGET), np.random.default_rng(0)
    pattern = PATTERNS["requests of 32 rows, half of them alike"](rng, 4_096)
    rows = draw_rows(rng, plan, pattern)
    for stream in (Stream.COMPARISONS, Stream.LABELS):
        assert request_numbers(rows, stream).tolist() == (np.arange(4_096) // 32).tolist()
