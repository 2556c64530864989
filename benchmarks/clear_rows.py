"""Benchmark of the monitor of clear rows on the demo's pairs, with its subgroups: the row at which scopes trip.

Each order of the demo's rows is folded by the judge's own `watch.step`, as if the compressed model answered each.

    python -m benchmarks.clear_rows
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.hunter import BATCH_ROWS, ORDERS, orders
from tightrope.demo.replay import DEMO_FOLDER, DEMO_MODEL, traffic
from tightrope.monitors import watch
from tightrope.monitors.budget import MonitorSpec, build_rules
from tightrope.monitors.clear_rows.clear_margin import clear_margin
from tightrope.monitors.compare import pair_readings, read_output
from tightrope.monitors.definitions.clear_monitor import clear_above
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import ROW_ARRAYS, Comparisons, Features, Ints, Role
from tightrope.monitors.safemode import Input
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load
from tightrope.service.inference.model_pair import ModelPair

HARMFUL, HARMLESS = ("bad_distilled_households_only", "bad_pruned98"), ("good_int8", "good_distilled")
WATCHED = ("model", "residence=group_quarters", "residence=institution")
CLEAR, ROW_SECONDS = "clear_disagreement", 0.01
GOLDEN = DEMO_FOLDER / "data" / "golden.csv"


def load_demo(compressed: str) -> ModelPair:
    """The demo's pair with another compressed model, armed and without the search for undeclared groups."""
    settings = load(DEMO_FOLDER / "tightrope.yaml")
    changes = {"compressed": DEMO_FOLDER / "models" / f"{compressed}.onnx", "hunter": "off"}
    section = settings.models[DEMO_MODEL].model_copy(update=changes)
    return load_pairs(settings.model_copy(update={"models": {DEMO_MODEL: section}}))[DEMO_MODEL]


def compare(pair: ModelPair, codes: Features) -> Comparisons:
    """Rows of input columns, compared, one request a row."""
    (spec,), size = pair.inputs, len(codes)
    baseline, compressed = (
        read_output(pair.models[role].run({spec.name: codes}, [pair.output])[pair.output], pair.decision.scales[role])
        for role in (Role.BASELINE, Role.COMPRESSED)
    )
    return Comparisons.from_columns(
        size,
        model=pair.name,
        log="log",
        scopes=pair.subgroups.scopes,
        member=pair.subgroups.members({spec.name: codes}, (), [size]),
        baseline_digest=pair.plan.baseline_digest,
        compressed_digest=pair.plan.compressed_digest,
        request_id=tuple(map(str, range(size))),
        offset=np.arange(size),
        time=np.arange(size) * ROW_SECONDS,
        twin=np.arange(size),
        draw=0.0,
        **pair_readings(baseline, compressed, pair.decision).columns(),
    )


def golden_codes(file: Path) -> Features:
    """The input columns of the golden rows."""
    return np.loadtxt(file, np.float32, delimiter=",", skiprows=1, usecols=range(16))


def reordered(rows: Comparisons, order: Ints) -> Comparisons:
    """The rows in an order; they keep their places in the log."""
    columns = {name: getattr(rows, name)[order] for name in ROW_ARRAYS if name not in {"offset", "time"}}
    return replace(rows, **columns)


def trips(plan: Plan, rows: Comparisons) -> Iterator[tuple[str, int]]:
    """Fold the rows; yield each scope that breaches, and the row."""
    state = initial_state(plan)
    for begin in range(0, len(rows), BATCH_ROWS):
        state, transitions = watch.step(plan, state, rows.take(slice(begin, begin + BATCH_ROWS)))
        for each in transitions:
            if each.trigger is Input.BREACH:
                yield each.scope, int(str(each.evidence["samples"]))


def with_specs(plan: Plan, specs: Sequence[MonitorSpec]) -> Plan:
    """The plan with other specifications of its monitors."""
    return replace(plan, rules=build_rules(specs, plan.policy.recovery_ratio), specs=tuple(specs))


def of_monitors(plan: Plan, *, clear: bool, others: bool) -> Plan:
    """The plan with the monitor of clear rows, with the others, or both."""
    return with_specs(plan, [spec for spec in plan.specs if (clear if spec.monitor.name == CLEAR else others)])


def firsts(plan: Plan, rows: Comparisons) -> list[Mapping[str, int]]:
    """The first row at which each scope trips, in each order."""
    found: list[Mapping[str, int]] = []
    for order in orders(len(rows), story=False):
        first: dict[str, int] = {}
        for scope, row in trips(plan, reordered(rows, order)):
            first.setdefault(scope, row)
        found.append(first)
    return found


def main() -> None:
    """Print a line for each pair and plan: the median of the row at which scopes trip, the largest, and how often."""
    table = Table(title=f"First trips in {ORDERS} orders of 12,000 rows: median (most, times)")
    for heading in ("pair", "monitors", *WATCHED, "other scopes"):
        table.add_column(heading)
    console = Console(width=160)
    for name in (*HARMFUL, *HARMLESS):
        pair = load_demo(name)
        rows = compare(pair, np.array([row.codes for row in traffic()], np.float32))
        margin = clear_margin(compare(pair, golden_codes(GOLDEN)).margin_baseline)
        specs = [replace(spec, monitor=clear_above(spec.monitor, margin or 0.0)) for spec in pair.plan.specs]
        known = with_specs(pair.plan, specs)
        plans = {
            "all, margin of golden rows": known,
            "all, margin of the first rows": pair.plan,
            "all but clear_disagreement": of_monitors(known, clear=False, others=True),
            "clear_disagreement alone": of_monitors(known, clear=True, others=False),
        }
        for label, plan in list(plans.items())[: None if name in HARMFUL else 2]:
            found = firsts(plan, rows)
            at = [[first[scope] for first in found if scope in first] for scope in WATCHED]
            cells = [f"{np.median(each):,.0f} ({max(each):,}, {len(each)})" if each else "-" for each in at]
            others = sum(len(first.keys() - {*WATCHED}) for first in found)
            table.add_row(name, label, *cells, str(others))
            console.print(f"{name}, {label}: {cells}, {others}")
    console.print(table)


if __name__ == "__main__":
    main()
