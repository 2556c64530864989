"""A rare class that is never said again, in the whole model or in one subgroup: rows from the change until it is seen.

The change comes after some sound rows, so methods that compare with before can see it as well. Tightrope's rows pass
the whole judgement; windows and others watch each class for misses and for gains, of the model and of each subgroup.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.class_loss import BATCH, CLASSES, HEALTHY_ROWS, SOUND, WINDOW, WINDOWS
from benchmarks.power.method import CellSpec, Method, Rows
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from benchmarks.situations.lines import PROMISED, Size, delays_text, is_budgeted, promise_text, rate_text
from benchmarks.whole_fold import held
from benchmarks.written_parts import markdown_table
from tightrope.monitors import watch
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import MODEL_SCOPE, Comparisons, Ints
from tightrope.monitors.safemode import Input

SIZES = (Size(2, 102_400, 10, 40_960), Size(1, 4_096, 1, 12_288))
"""The sizes of a full measurement and of a quick one."""

CHANGE, GROUPS, GROUP_SHARE = 5_120, 4, 0.08
"""Rows before the change; the number of subgroups; the share of the first one: the others have equal ones."""

SCOPES = tuple(f"region={number}" for number in range(GROUPS))
OURS = {"Tightrope": ("class_miss", "class_gain"), "Tightrope, `disagreement` alone": ("disagreement",)}


@dataclass(frozen=True)
class Classes:
    """Rows by the class that both models say, and by the number of the subgroup, all (n,)."""

    baseline: Ints
    compressed: Ints
    group: Ints


@dataclass(frozen=True)
class GoneClass:
    """A class of a ``share`` of the rows which, after the change, the compressed model says no more: nowhere, or not in
    the first subgroup if it is ``grouped``.
    """

    share: float
    grouped: bool

    def draw(self, rng: np.random.Generator, n: int) -> Classes:
        """Draw rows; the class is number 0."""
        baseline = np.where(rng.random(n) < self.share, 0, rng.integers(1, CLASSES, n))
        group = np.where(rng.random(n) < GROUP_SHARE, 0, rng.integers(1, GROUPS, n))
        other = 1 + (baseline + rng.integers(0, CLASSES - 2, n)) % (CLASSES - 1)
        gone = (baseline == 0) & (np.arange(n) >= CHANGE) & ((group == 0) | (not self.grouped))
        return Classes(baseline, np.where(gone | (rng.random(n) < SOUND), other, baseline), group)


GONE: Mapping[str, GoneClass] = {
    "1.4 % of rows, never said again": GoneClass(0.014, grouped=False),
    "3.5 %, never again in a subgroup of 8 %": GoneClass(0.035, grouped=True),
}


def limit_of(*, grouped: bool) -> float:
    """The limit of misses and of gains, of the model or of a subgroup."""
    monitor = CATALOGUE["class_miss"]
    return monitor.limit * (monitor.subgroup_factor if grouped else 1.0)


def at_the_limit(rng: np.random.Generator, n: int) -> Classes:
    """Draw rows; each class is missed, and said too often, exactly at the limit of a subgroup, in all of them."""
    baseline, shift = rng.integers(0, CLASSES, n), rng.integers(1, CLASSES, n)
    missed = rng.random(n) < limit_of(grouped=True)
    return Classes(baseline, np.where(missed, (baseline + shift) % CLASSES, baseline), rng.integers(0, GROUPS, n))


def build_plan(monitors: tuple[str, ...], *, quiet: bool) -> Plan:
    """The plan of a model with four subgroups; where rows are ``quiet`` the model has the limit of a subgroup."""
    specs = []
    for name in monitors:
        monitor = CATALOGUE[name]
        limits = np.full(1 + GROUPS, monitor.limit * monitor.subgroup_factor)
        limits[0] = limits[0] if quiet else monitor.limit
        specs.append(MonitorSpec(monitor, monitor.variants(CLASSES), limits))
    rules, budget = build_rules(specs, 0.75), Budget(SAMPLES_PER_FALSE_ALARM)
    return Plan("m", "b", "c", (MODEL_SCOPE, *SCOPES), np.ones(1 + GROUPS), rules, budget, tick_seconds=1e9)


def fold(monitors: tuple[str, ...], rows: Classes, *, quiet: bool = False) -> Iterator[int]:
    """Yield the rows after which the whole judgement alarms; after each batch with an alarm it starts anew."""
    n, plan = len(rows.baseline), build_plan(monitors, quiet=quiet)
    compared = Comparisons.from_columns(
        n, model="m", baseline_digest="b", compressed_digest="c", log="log", request_id=tuple(map(str, range(n))),
        offset=np.arange(n), time=np.arange(n), draw=0.5, top_baseline=rows.baseline, top_compressed=rows.compressed,
        disagree=rows.baseline != rows.compressed, scopes=SCOPES, member=rows.group[:, None] == np.arange(GROUPS),
    )  # fmt: skip
    state = held(plan, initial_state(plan))
    for begin in range(0, n, BATCH):
        state, transitions = watch.step(plan, state, compared.take(slice(begin, begin + BATCH)))
        yield from (int(str(t.evidence["samples"])) for t in transitions if t.trigger is Input.BREACH)
        state = held(plan, state)


def watched(method: Method, rows: Classes, classes: range, groups: range | None) -> list[int]:
    """The rows after which a method alarms for misses or gains of one of the classes, in the whole model or in one of
    the ``groups``.
    """
    differs = (rows.baseline != rows.compressed).astype(np.float64)
    healthy = (np.random.default_rng(1).random(HEALTHY_ROWS) < SOUND).astype(np.float64)
    spec = CellSpec(Hypothesis.RATE, limit_of(grouped=groups is not None), healthy, WINDOW)
    n, found = len(differs), list[int]()
    own_rows = [np.ones(n, dtype=bool)] if groups is None else [rows.group == group for group in groups]
    for spoken in (rows.baseline, rows.compressed):
        cells = (np.flatnonzero((spoken == each) & own) for own in own_rows for each in classes)
        found += [row for cell in cells for row in (method.alarms(spec, Rows(differs[cell], cell, n), n) + 1).tolist()]
    return sorted(found)


def delays(method: Method | tuple[str, ...], gone: GoneClass, size: Size) -> list[float]:
    """The rows of each run from the change until a method sees it; infinite where it does not."""
    found = []
    for seed in range(size.runs):
        rows = gone.draw(np.random.default_rng(seed), size.rows)
        groups = range(1) if gone.grouped else None
        alarms = fold(method, rows) if isinstance(method, tuple) else iter(watched(method, rows, range(1), groups))
        found.append(float(next((row for row in alarms if row > CHANGE), np.inf)) - CHANGE)
    return found


def quiet_alarms(method: Method | tuple[str, ...], size: Size) -> int:
    """False alarms with every class of every subgroup at its limit."""
    count = 0
    for seed in range(size.quiet_runs):
        rows = at_the_limit(np.random.default_rng(seed), size.quiet_rows)
        if isinstance(method, tuple):
            count += len(list(fold(method, rows, quiet=True)))
        else:
            count += len(watched(method, rows, range(CLASSES), range(GROUPS)))
    return count


def gone_table(others: Mapping[str, Method], size: Size) -> str:
    """The table of rows from the change to an alarm, and of false alarms, beside the promise."""
    limit = f"{limit_of(grouped=True):.0%}".replace("%", " %")
    lines = [["method", "promised, at most", *GONE, f"every class of every subgroup at {limit}: false alarms"]]
    methods: dict[str, Method | tuple[str, ...]] = {**OURS, **WINDOWS, **others}
    for name, method in methods.items():
        cells = [delays_text(delays(method, gone, size)) for gone in GONE.values()]
        plain = "disagreement" in name
        quiet = "-" if plain else rate_text(quiet_alarms(method, size), size.quiet_runs * size.quiet_rows)
        # Each row is one of a class of a subgroup for misses, and one for gains.
        promised = PROMISED if isinstance(method, tuple) else 2 * PROMISED if is_budgeted(name) else None
        lines.append([name, promise_text(promised), *cells, quiet])
    return markdown_table(lines)
