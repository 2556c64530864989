"""docs/power.md: page.md with its tables. What page.md says of a method must follow from how it is made, or from a
figure filled in here; `check` refuses to write when the figures of Tightrope itself are off.
"""

import platform
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np

from benchmarks.power import evidently_adapter, river_adapter, tables
from benchmarks.power.check import BEFORE, SAMPLE
from benchmarks.power.measure import Outcomes
from benchmarks.power.methods import OTHERS, OURS
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from benchmarks.power.picture import Point
from benchmarks.power.rivals import Board, scopes
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

SUMMARY = """At the limit, *{ours}* raised {alarms} false alarms per 100,000 samples; it found a change from 1 % to 5 %
within {median:.0f} samples, half of the times. Sooner was found by: {quicker}. Of these, as few false alarms as
Tightrope promises, at the limit and after the benign change, were raised by: {honest}."""

FALLBACK = """In Tightrope a scope that trips is answered by the baseline, and its rows leave the other cells, which
stops the alarms that they would raise there. By the judge itself, in ticks of 64, the baseline takes over, with the
demo's limits: {moves}; with the good models: {good}. With the default limits: {strict}; with the good models:
{strict_good}."""


def page(outcomes: Outcomes, boards: Sequence[Board]) -> str:
    """The whole page."""
    filled = {name: tables.family(family, outcomes) for name, family in FAMILIES.items()}
    return TEMPLATE.read_text().format(
        promised=PROMISED,
        summary=_summary(outcomes),
        rows=boards[0].rows,
        scopes=boards[0].subgroups,
        demo=tables.demo(boards[0]),
        strict=tables.demo(boards[1]),
        fallback=_fallback(boards),
        seed=SEED,
        python=platform.python_version(),
        numpy=np.__version__,
        river=river_adapter.VERSION,
        evidently=evidently_adapter.VERSION,
        checked=2 * len(BEFORE),
        **filled,
    )


def points(outcomes: Outcomes) -> list[Point]:
    """What the picture shows."""
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
    """The picture in words, from its figures."""
    shown = points(outcomes)
    ours = next(point for point in shown if point.name == SAMPLE)
    quicker = [point for point in shown if point.median < ours.median and not point.ours]
    kept = [point.name for point in quicker if point.alarms <= PROMISED and not point.jumpy]
    said = SUMMARY.format(
        ours=ours.name,
        alarms=tables.number(ours.alarms),
        median=ours.median,
        quicker=_names([_cited(point.name) for point in quicker]) or "nobody",
        honest=_names([_cited(name) for name in kept]) or "nobody",
    )
    return fill(said, 120, break_long_words=False, break_on_hyphens=False)


def _cited(name: str) -> str:
    return f"*{name}*"


def _names(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _fallback(boards: Sequence[Board]) -> str:
    said = [scopes(moves) or "nothing" for board in boards for moves in (board.moves, board.good_moves)]
    return FALLBACK.format(moves=said[0], good=said[1], strict=said[2], strict_good=said[3])
