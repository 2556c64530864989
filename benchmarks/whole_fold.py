"""False alarms through the whole judgement with everything on: every monitor, fifty classes, 22 subgroups, labels on
every row, and rows that depend on each other in five ways.

Every rate and mean is at its limit where rows are independent, and at half of it where they are not. Rows of one burst,
or alike rows of one request, are alike in everything: class, subgroups, confidences, labels. The unit is `auto`.

    python -m benchmarks.whole_fold                       # five minutes; writes the table of docs/power.md
    python -m benchmarks.whole_fold callers --rows 1048576  # one pattern, by a part of its name; writes nothing
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from time import process_time

import numpy as np
from rich.console import Console

from benchmarks.written_parts import POWER_PAGE, markdown_table, with_part
from tightrope.monitors import watch
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.clear_rows.clear_margin import CLEAR_QUANTILE
from tightrope.monitors.decide import apply_order
from tightrope.monitors.definitions.definition import Need, Reach
from tightrope.monitors.dependence.units import EvidenceUnit
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import MODEL_SCOPE, Bools, Comparisons, Floats, Ints, Order, Stream
from tightrope.monitors.safemode import Input

CLASSES = 50
ATTRIBUTES = {"size": 2, "region": 8, "source": 12}
"""Three attributes with 22 values: every row has one value of each."""

DIFFERING = CATALOGUE["disagreement"].limit
"""The rate of rows that differ, and so the rate of every class's: their limit too, in the model and in subgroups."""

CLEAR = CATALOGUE["clear_disagreement"].limit
"""The rate of clear rows that differ."""

BATCH_ROWS = 1024
"""Rows in one batch; after each one an operator's order starts the detectors of a scope that alarmed anew."""

BUDGET, ROWS, SEEDS = 1e4, 262_144, 1


@dataclass(frozen=True)
class Pattern:
    """How n rows hang together: the row whose draws each one repeats, its request and caller, and the level of every
    rate and mean as a part of its limit, all (n,).
    """

    source: Ints
    request: Ints
    caller: Ints
    level: Floats


def independent(_: np.random.Generator, n: int) -> Pattern:
    """Rows that do not depend on each other, at the limit."""
    return Pattern(np.arange(n), np.arange(n), np.arange(n) % 20, np.ones(n))


def seasonal(_: np.random.Generator, n: int) -> Pattern:
    """Independent rows, whose rates swing between nothing and the limit."""
    return replace(independent(_, n), level=(1 + np.sin(np.arange(n) * 2 * np.pi / 16_384)) / 2)


def bursty(rng: np.random.Generator, n: int) -> Pattern:
    """Bursts of one caller, five rows on average."""
    return _bursts(rng, np.zeros(n, dtype=np.int64), 5)


def interleaved(rng: np.random.Generator, n: int) -> Pattern:
    """Bursts of twenty callers who take turns, twenty rows on average."""
    return _bursts(rng, np.arange(n) % 20, 20)


def batched(rng: np.random.Generator, n: int) -> Pattern:
    """Requests of 32 rows, half of them alike."""
    start = np.arange(n) // 32 * 32
    alike = rng.random(n) < 0.5  # noqa: PLR2004 - a half
    return Pattern(np.where(alike, start, np.arange(n)), start // 32, start // 32 % 20, np.full(n, 0.5))


def _bursts(rng: np.random.Generator, caller: Ints, mean: float) -> Pattern:
    n = len(caller)
    source = np.arange(n)
    for one in np.unique(caller):
        own = np.flatnonzero(caller == one)
        begins = np.maximum.accumulate(np.where(rng.random(len(own)) < 1 / mean, np.arange(len(own)), 0))
        source[own] = own[begins]
    return Pattern(source, np.arange(n), caller, np.full(n, 0.5))


PATTERNS: Mapping[str, Callable[[np.random.Generator, int], Pattern]] = {
    "independent, at the limits": independent,
    "seasonal, up to the limits": seasonal,
    "bursts of 5": bursty,
    "20 callers in turn, bursts of 20": interleaved,
    "requests of 32 rows, half of them alike": batched,
}

UNWARNED = ("independent, at the limits", "seasonal, up to the limits")
"""Rows that should not warn."""


def build_plan(budget: float, *, callers: bool = False) -> Plan:
    """The plan of a model with 22 subgroups and fifty classes, with every monitor of a classifier."""
    scopes = (MODEL_SCOPE, *(f"{name}={value}" for name, count in ATTRIBUTES.items() for value in range(count)))
    specs = []
    for monitor in CATALOGUE.values():
        variants = monitor.variants(CLASSES)
        if Need.VALUE in monitor.needs or not variants:
            continue
        own = replace(monitor, reach=Reach.MODEL) if monitor.class_of else monitor
        subgroups = 0 if own.reach is Reach.MODEL else len(scopes) - 1
        limit = DIFFERING if monitor.class_of else monitor.limit
        specs.append(MonitorSpec(own, variants, np.full(1 + subgroups, limit)))
    plan = Plan("m", "b", "c", scopes, np.ones(len(scopes)), build_rules(specs, 0.75), Budget(budget), tick_seconds=1e9)
    return replace(plan, unit=EvidenceUnit(has_callers=callers), label_horizon=1e9)


def draw_rows(rng: np.random.Generator, plan: Plan, pattern: Pattern) -> Comparisons:
    """Draw labelled rows, (n,), at the pattern's level of every limit; subgroups have the model's rates. The rows of a
    request share its id, time and place in the log, as on the wire.
    """
    n, level = len(pattern.source), pattern.level
    u = rng.random((16, n))[:, pattern.source]
    baseline = (u[0] * CLASSES).astype(int)
    differs = u[1] < DIFFERING * level
    compressed = np.where(differs, (baseline + 1 + (u[2] * (CLASSES - 1)).astype(int)) % CLASSES, baseline)
    down, up = u[3] < 0.02 * level, u[3] > 1 - 0.02 * level
    confidence = 0.2 + 0.6 * u[4]
    moved = np.where(down, -0.2, np.where(up, 0.2, 0.02 * level))
    refused = u[5] < 0.05  # noqa: PLR2004 - the baseline refuses one in twenty
    answered = refused & (u[6] < 0.1 * level)
    added = ~refused & (u[6] < 0.015 * level / 0.95)
    only_baseline = np.where(differs, 0.3, (0.01 - 0.3 * DIFFERING) / (1 - DIFFERING)) * level
    right = u[8] < confidence + moved
    alone = ~right & (u[7] < only_baseline / (1 - (confidence + moved)))
    members = [
        (u[10 + i] * count).astype(int)[:, None] == np.arange(count) for i, count in enumerate(ATTRIBUTES.values())
    ]
    return Comparisons.from_columns(
        n,
        model="m",
        baseline_digest="b",
        compressed_digest="c",
        log="log",
        scopes=plan.scopes[1:],
        member=np.concatenate(members, axis=1),
        offset=pattern.request,
        time=pattern.request / 100,
        draw=0.0,
        request_id=tuple(map(str, pattern.request.tolist())),
        caller=(pattern.caller.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E37_79B9_7F4A_7C15),
        disagree=differs,
        top_baseline=baseline,
        top_compressed=compressed,
        margin_baseline=draw_margins(differs, level, u[9], u[13]),
        confidence_baseline=confidence,
        confidence_compressed=confidence + moved,
        refused_baseline=refused,
        refused_compressed=(refused & ~answered) | added,
        correct_baseline=right | alone,
        correct_compressed=right,
    )


def draw_margins(differs: Bools, level: Floats, u: Floats, v: Floats) -> Floats:
    """The margins of the baseline (n,) from uniform ``u`` and ``v``: clear rows differ at the level of their limit."""
    share = 1 - CLEAR_QUANTILE
    agreeing = (share - CLEAR * share * level) / (1 - DIFFERING * level)
    is_clear = u < np.where(differs, CLEAR * share / DIFFERING, agreeing)
    return np.where(is_clear, CLEAR_QUANTILE + share * v, CLEAR_QUANTILE * v)


def held(plan: Plan, state: State) -> State:
    """Hold every scope in normal mode: alarms are recorded, and with the order their detectors start anew."""
    for scope, mode in zip(plan.scopes, state.modes, strict=True):
        if not mode.held or mode.breached:
            order = Order(scope, 0.0, "m", scope, "force-normal", "benchmark", "to count alarms")
            state = apply_order(plan, state, order)[0]
    return state


def batches(rows: Comparisons, request: Ints, size: int) -> Iterator[Comparisons]:
    """Cut the rows into batches of whole requests."""
    starts = np.flatnonzero(np.diff(request, prepend=-1))
    cuts = np.unique(starts[np.searchsorted(starts, np.arange(0, starts[-1] + 1, size))]).tolist()
    yield from (rows.take(slice(begin, end)) for begin, end in pairwise([*cuts, len(rows)]))


@dataclass(frozen=True)
class Alarms:
    """The alarms of all monitors in all scopes, and those before the rows were known to depend on each other."""

    total: int = 0
    early: int = 0

    def __add__(self, other: "Alarms") -> "Alarms":
        return Alarms(self.total + other.total, self.early + other.early)


def count_alarms(plan: Plan, name: str, rows: int, seed: int, batch_rows: int = BATCH_ROWS) -> Alarms:
    """Count the alarms of one run."""
    rng = np.random.default_rng(seed)
    pattern = PATTERNS[name](rng, rows)
    state, alarms = held(plan, initial_state(plan)), Alarms()
    for batch in batches(draw_rows(rng, plan, pattern), pattern.request, batch_rows):
        for stream in Stream:
            warned = state.dependence.warned
            state, transitions = watch.step(plan, state, batch, stream)
            cases = [each.evidence["monitors"] for each in transitions if each.trigger is Input.BREACH]
            found = sum(len(monitors) for monitors in cases if isinstance(monitors, list))
            alarms += Alarms(found, 0 if warned else found)
            state = held(plan, state)
    return alarms


def alarm_table(patterns: Iterable[str], rows: int) -> str:
    """The table of alarms beside the promise, in Markdown."""
    head = ["rows", "promised, at most", "`auto`", "of these before a warning", "`auto`, with callers"]
    lines = [head]
    for name in patterns:
        without, with_callers = (
            sum((count_alarms(build_plan(BUDGET, callers=known), name, rows, seed) for seed in range(SEEDS)), Alarms())
            for known in (False, True)
        )
        warned = "-" if name in UNWARNED else str(without.early)
        lines.append([name, f"{rows * SEEDS / BUDGET:.0f}", str(without.total), warned, str(with_callers.total)])
    return markdown_table(lines)


def main() -> None:
    """Write the table into its place in the page, and print it; or print the lines of some patterns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pattern", nargs="?", help="a part of the name of one")
    parser.add_argument("--rows", type=int, default=ROWS)
    options = parser.parse_args()
    console, began = Console(width=160), process_time()
    patterns = [name for name in PATTERNS if options.pattern is None or options.pattern in name]
    table = alarm_table(patterns, options.rows)
    is_page = options.pattern is None and options.rows == ROWS
    if is_page:
        POWER_PAGE.write_text(with_part(POWER_PAGE.read_text(), "benchmarks.whole_fold", table))
    written = f"written to {POWER_PAGE}" if is_page else "written nowhere"
    console.print(f"{table}\n{written}, after {process_time() - began:.0f} s", highlight=False)


if __name__ == "__main__":
    main()
