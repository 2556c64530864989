"""Bursts and batch requests: rows that depend on each other, for every method the same ones.

A quiet stream has half of the limit of 2 %, because a stream at the limit exceeds it for hours where bursts are long.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain

import numpy as np

from benchmarks import units
from benchmarks.power.method import CellSpec, Method, Rows
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from benchmarks.situations.lines import PROMISED, Size, delays_text, is_budgeted, promise_text, rate_text
from benchmarks.units import LIMIT, MONITOR, DependentStream
from benchmarks.written_parts import markdown_table
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.dependence.units import EvidenceUnit, Independence
from tightrope.monitors.records import Ints

SIZES = (Size(4, 50_000, 20, 12_000), Size(1, 4_096, 2, 6_000))
"""The sizes of a full measurement and of a quick one."""

QUIET, HARMFUL = LIMIT / 2, 0.05
CHANGE, HEALTHY_ROWS, WINDOW = 5_000, 5_000, 1_000
"""The rows before a change, those of a reference sample, and those of a window."""

StreamOf = Callable[[np.random.Generator, int, float], DependentStream]

BURSTS: Mapping[str, StreamOf] = {
    "bursts of 5": lambda rng, n, rate: units.bursts(rng, n, rate, 5, np.zeros(n, dtype=np.int64)),
    "20 callers in turn, bursts of 20": lambda rng, n, rate: units.bursts(rng, n, rate, 20, np.arange(n) % 20),
}
REQUESTS: Mapping[str, StreamOf] = {
    "requests of 32 rows, concentration 5": lambda rng, n, rate: units.requests(rng, n // 32 * 32, rate, 32, 5),
    "requests of 256 rows, concentration 20": lambda rng, n, rate: units.requests(rng, n // 256 * 256, rate, 256, 20),
}

JUDGED = {
    "Tightrope, `request`": EvidenceUnit(Independence.REQUEST),
    "Tightrope, `auto`": EvidenceUnit(),
    "Tightrope, `auto`, with callers": EvidenceUnit(has_callers=True),
}
"""The promise of `request` holds where requests do not depend on each other."""


def joined(first: DependentStream, second: DependentStream) -> DependentStream:
    """The rows of one stream after those of another."""
    request = np.concatenate([first.request, second.request + first.request[-1] + 1])
    disagree = np.concatenate([first.disagree, second.disagree])
    return DependentStream(disagree, request, np.concatenate([first.caller, second.caller]))


def judged_alarms(unit: EvidenceUnit, stream: DependentStream) -> Ints:
    """The rows after which the whole judgement alarms; the one monitor has the whole budget."""
    plan = units.plan_of(unit, SAMPLES_PER_FALSE_ALARM * MONITOR.share)
    return np.array(units.alarm_rows(plan, stream), dtype=np.int64)


def window_alarms(method: Method, stream_of: StreamOf, stream: DependentStream) -> Ints:
    """The rows after which another method alarms; its reference has the same bursts at the quiet rate."""
    healthy = stream_of(np.random.default_rng(1), HEALTHY_ROWS, QUIET).disagree.astype(np.float64)
    spec, y = CellSpec(Hypothesis.RATE, LIMIT, healthy, WINDOW), stream.disagree.astype(np.float64)
    return method.alarms(spec, Rows.whole(y), len(y)) + 1


def measured(alarms_of: Callable[[DependentStream], Ints], stream_of: StreamOf, size: Size) -> list[str]:
    """The cells of one method and one kind of rows: false alarms and delays."""
    false, rows, delays = 0, 0, list[float]()
    for seed in range(size.quiet_runs):
        stream = stream_of(np.random.default_rng(seed), size.quiet_rows, QUIET)
        false, rows = false + len(alarms_of(stream)), rows + len(stream.disagree)
    for seed in range(size.runs):
        rng = np.random.default_rng(1_000 + seed)
        before, after = stream_of(rng, CHANGE, QUIET), stream_of(rng, size.rows, HARMFUL)
        alarms, change = alarms_of(joined(before, after)), len(before.disagree)
        delays.append(float(min((each - change for each in alarms.tolist() if each > change), default=np.inf)))
    return [rate_text(false, rows), delays_text(delays)]


def table(kinds: Mapping[str, StreamOf], methods: Sequence[Method], size: Size) -> str:
    """The table of one kind of dependence, in Markdown: false alarms per 100,000 rows, and rows from the change on."""
    head = ["method", "promised, at most"]
    for name in kinds:
        head += [f"{name}, at 1 %: false alarms", "1 % → 5 %: delay"]
    lines = [head]
    for name, unit in JUDGED.items():
        cells = [measured(partial(judged_alarms, unit), each, size) for each in kinds.values()]
        lines.append([name, promise_text(PROMISED), *chain(*cells)])
    for method in methods:
        cells = [measured(partial(window_alarms, method, each), each, size) for each in kinds.values()]
        promised = PROMISED if is_budgeted(method.name) else None
        lines.append([method.name, promise_text(promised), *chain(*cells)])
    return markdown_table(lines)
