"""docs/power.md: the template page.md, filled with tables. Claims of the template about a method must follow from its
definition or from a figure filled in here; `check` prevents a page whose figures of Tightrope are wrong.
"""

import platform
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np

from benchmarks.power import evidently_adapter, river_adapter, tables
from benchmarks.power.check import REFERENCE_DELAYS, SAMPLE
from benchmarks.power.demo_table import DemoTable, scopes
from benchmarks.power.measure import Outcomes
from benchmarks.power.methods import OTHERS, OURS
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from benchmarks.power.picture import Point
from benchmarks.power.scenes import LENGTH, SEED

TEMPLATE = Path(__file__).with_name("page.md")
AT_LIMIT, BENIGN, FIVE = "at the limit, 2 %", "0.2 % → 1.5 %", "1 % → 5 %"
PROMISED = LENGTH / SAMPLES_PER_FALSE_ALARM
FAMILIES = {
    "rates": "rates",
    "narrow": "means, deviation 0.05",
    "wide": "means, deviation 0.2",
    "subgroups": "subgroups",
    "weak": "bursts, rho 0.1",
    "strong": "bursts, rho 0.3",
}

SUMMARY = """At the limit, *{ours}* raises {alarms} false alarms per 100,000 samples; its median delay for a change from
1 % to 5 % is {median:.0f} samples. Faster methods: {quicker}. Of these, the methods with at most Tightrope's guaranteed
number of false alarms, both at the limit and after the benign change: {honest}."""

FALLBACK = """In Tightrope the baseline answers a scope that trips, and its rows are removed from the other cells, which
stops the alarms that they would raise there. In the judge itself, with ticks of 64, the baseline takes over, with the
demo's limits: {moves}; with the good models: {good}. With the default limits: {strict}; with the good models:
{strict_good}."""


def page(outcomes: Outcomes, demo_tables: Sequence[DemoTable]) -> str:
    """The page."""
    filled = {name: tables.family(family, outcomes) for name, family in FAMILIES.items()}
    return TEMPLATE.read_text().format(
        promised=PROMISED,
        summary=_summary(outcomes),
        rows=demo_tables[0].rows,
        scopes=demo_tables[0].subgroups,
        demo=tables.demo(demo_tables[0]),
        strict=tables.demo(demo_tables[1]),
        fallback=_fallback(demo_tables),
        seed=SEED,
        python=platform.python_version(),
        numpy=np.__version__,
        river=river_adapter.VERSION,
        evidently=evidently_adapter.VERSION,
        checked=2 * len(REFERENCE_DELAYS),
        **filled,
    )


def points(outcomes: Outcomes) -> list[Point]:
    """The points of the picture."""
    return [
        Point(
            name=method.name,
            alarms=outcomes["rates", AT_LIMIT, method.name].per_100_000,
            median=outcomes["rates", FIVE, method.name].delay(0.5),
            slow=outcomes["rates", FIVE, method.name].delay(0.95),
            jumpy=outcomes["rates", BENIGN, method.name].runs_with_alarm > PROMISED,
            ours=method in OURS,
        )
        for method in (*OURS, *OTHERS)
    ]


def _summary(outcomes: Outcomes) -> str:
    """The picture in words."""
    shown = points(outcomes)
    ours = next(point for point in shown if point.name == SAMPLE)
    quicker = [point for point in shown if point.median < ours.median and not point.ours]
    kept = [point.name for point in quicker if point.alarms <= PROMISED and not point.jumpy]
    summary = SUMMARY.format(
        ours=ours.name,
        alarms=tables.number(ours.alarms),
        median=ours.median,
        quicker=_names([_cited(point.name) for point in quicker]) or "none",
        honest=_names([_cited(name) for name in kept]) or "none",
    )
    return fill(summary, 120, break_long_words=False, break_on_hyphens=False)


def _cited(name: str) -> str:
    return f"*{name}*"


def _names(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _fallback(demo_tables: Sequence[DemoTable]) -> str:
    sentences = [
        scopes(moves) or "nothing" for demo_table in demo_tables for moves in (demo_table.moves, demo_table.good_moves)
    ]
    return FALLBACK.format(moves=sentences[0], good=sentences[1], strict=sentences[2], strict_good=sentences[3])
