"""Benchmark of the search for undeclared groups, on the demo's pairs with nothing declared, and of its false alarms.

Each order of the demo's rows is folded by the judge's own `watch.step`. The lattice is that of the demo's golden rows.

    python -m benchmarks.hunter           # delays and names on the demo, 20 orders
    python -m benchmarks.hunter null      # false alarms at the limit beside the promise
    python -m benchmarks.hunter watched   # rows until a found group is in safe mode, by an order and by `hunter: arm`
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from rich.console import Console
from rich.table import Table

from tightrope.demo.replay import DEMO_FOLDER, DEMO_MODEL, traffic
from tightrope.monitors import watch
from tightrope.monitors.budget import Budget
from tightrope.monitors.catalogue import SEARCH_SHARE
from tightrope.monitors.hunter.findings import FoundGroup
from tightrope.monitors.hunter.search import SEARCHED_MONITOR
from tightrope.monitors.intake.repeats import Repeats
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import Comparisons, Ints, Order, Role, Sample
from tightrope.monitors.watched_groups.orders import WATCH_GROUP, apply_group_order, found_scopes
from tightrope.service.adapters.ports import Record
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import Settings, load
from tightrope.service.inference.model_pair import ModelPair
from tightrope.shadow.comparison import SampleRecord, compare_samples
from tightrope.wiring.embedded import as_watched

CONFIGURATION = DEMO_FOLDER / "tightrope.yaml"
TITLES = {3: {"title": "residence", "codes": {16: "institution", 17: "group quarters"}}}
HARMFUL, HARMLESS = ("bad_distilled_households_only", "bad_pruned98"), ("good_int8", "good_distilled")
ORDERS, BATCH_ROWS, RUN_ROWS, ROW_SECONDS = 20, 1024, 500, 0.01
NULL_SAMPLES, NULL_ROWS = 300.0, 12_000


@dataclass(frozen=True)
class DemoRows:
    """All rows of the demo's traffic, compared, and the plan with no subgroup declared."""

    plan: Plan
    rows: Comparisons

    def ordered(self, order: Ints) -> Comparisons:
        """The rows in an order, one request each."""
        columns = {name: getattr(self.rows, name)[order] for name in ("disagree", "features", "twin", "draw")}
        columns |= {
            name: getattr(self.rows, name)[order]
            for name in ("top_baseline", "top_compressed", "confidence_baseline", "confidence_compressed")
        }
        size = len(order)
        place = {"offset": np.arange(size), "time": np.arange(size) * ROW_SECONDS}
        ids = tuple(map(str, range(size)))
        digests = {"baseline_digest": self.plan.baseline_digest, "compressed_digest": self.plan.compressed_digest}
        return Comparisons.from_columns(
            size, model=self.plan.model, log="log", request_id=ids, **digests, **place, **columns
        )


def demo_rows(compressed: str) -> DemoRows:
    """Run both models of a pair on the demo's traffic; only disagreement is watched, so that no mode changes."""
    pair = load_pairs(undeclared(compressed))[DEMO_MODEL]
    watched, records = as_watched(pair), [
        SampleRecord(SampleBatch.from_samples([sample]), Record("samples", 0, offset, pair.name, b""))
        for offset, sample in enumerate(_samples(pair))
    ]  # fmt: skip
    (batch,) = compare_samples(watched, records, "log")
    rules = tuple(rule for rule in pair.plan.rules if rule.monitor.name == SEARCHED_MONITOR)
    return DemoRows(replace(pair.plan, rules=rules), batch.comparisons)


def undeclared(compressed: str) -> Settings:
    """The demo's settings without subgroups, with titles and the golden rows; equal inputs count once."""
    settings = load(CONFIGURATION)
    section = settings.models[DEMO_MODEL]
    changes = {
        "subgroups": {},
        "repeats": Repeats.DISTINCT,
        "compressed": DEMO_FOLDER / "models" / f"{compressed}.onnx",
        "golden": DEMO_FOLDER / "data" / "golden.csv",
        "columns": TITLES,
        "limits": {"disagreement": 0.5},
    }
    changed = type(section).model_validate({**section.model_dump(exclude_unset=True), **changes})
    return settings.model_copy(update={"models": {DEMO_MODEL: changed}})


def _samples(pair: ModelPair) -> Iterator[Sample]:
    codes = np.array([row.codes for row in traffic()])
    (spec,) = pair.inputs
    for start in range(0, len(codes), RUN_ROWS):
        inputs = {spec.name: codes[start : start + RUN_ROWS].astype(np.float32)}
        outputs = pair.models[Role.BASELINE].run(inputs, pair.deciding)
        yield Sample(
            model=pair.name,
            request_id=str(start),
            time=0.0,
            served_by=Role.BASELINE,
            baseline_digest=pair.plan.baseline_digest,
            compressed_digest=pair.plan.compressed_digest,
            inputs=inputs,
            outputs=outputs,
            scopes=(),
            member=np.zeros((len(inputs[spec.name]), 0), dtype=bool),
            draw=0.0,
            inclusion=1.0,
            seconds=0.0,
        )


def search(plan: Plan, rows: Comparisons) -> Iterator[FoundGroup]:
    """Fold the rows; yield each finding when it is made."""
    state, seen = initial_state(plan), 0
    for begin in range(0, len(rows), BATCH_ROWS):
        state, _ = watch.step(plan, state, rows.take(slice(begin, begin + BATCH_ROWS)))
        for finding in state.search.findings:
            if finding.number > seen:
                seen = finding.number
                yield finding


def orders(rows: int, *, story: bool) -> Iterator[Ints]:
    """Orders of the demo's rows: shuffled or, as in its story, the second half, which drifts, in its place."""
    for seed in range(ORDERS):
        shuffled = np.random.default_rng(seed).permutation(rows if not story else rows // 2)
        yield np.concatenate([shuffled, np.arange(len(shuffled), rows)])


def demo_table() -> Table:
    """The table of first findings, by pair."""
    table = Table(title=f"Nothing declared, limit 10 in 100, {ORDERS} orders of 12,000 rows")
    for heading in ("pair", "order", "found", "median", "most", "first names", "slices"):
        table.add_column(heading)
    for name in (*HARMFUL, *HARMLESS):
        demo = demo_rows(name)
        for story in (False, True) if name == HARMFUL[0] else (False,):
            firsts = [
                next(search(demo.plan, demo.ordered(order)), None) for order in orders(len(demo.rows), story=story)
            ]
            found = [first for first in firsts if first is not None]
            at = np.array([float(first.row) for first in found] or [np.nan])
            assert demo.plan.search is not None
            names = Counter(demo.plan.search.layout.words(first.predicates) for first in found).most_common(3)
            shown = ", ".join(f"{text} ({count})" for text, count in names)
            slices = len(demo.plan.search.reference or ())
            table.add_row(
                name, "story" if story else "shuffled", f"{len(found)} of {ORDERS}", f"{np.median(at):,.0f}",
                f"{at.max():,.0f}", shown, f"{slices:,}",
            )  # fmt: skip
    return table


def null_table() -> Table:
    """The table of false alarms: every row disagrees with the probability of the limit, by chance."""
    demo = demo_rows(HARMFUL[0])
    assert demo.plan.search is not None
    plan, limit = replace(demo.plan, budget=Budget(NULL_SAMPLES)), demo.plan.search.limit
    alarms, rows = 0, 0
    for seed, order in enumerate(orders(len(demo.rows), story=False)):
        ordered = demo.ordered(order)
        chance = np.random.default_rng(1_000 + seed).random(len(order)) < limit
        state = initial_state(plan)
        for begin in range(0, len(order), BATCH_ROWS):
            part = replace(ordered, disagree=chance).take(slice(begin, begin + BATCH_ROWS))
            state, _ = watch.step(plan, state, part)
            state = replace(state, search=replace(state.search, findings=()))  # else its rows would be left out
        alarms, rows = alarms + state.search.found, rows + len(order)
    table = Table(title=f"False alarms at the limit, A = {NULL_SAMPLES:,.0f}, {rows:,} rows")
    for heading in ("alarms", "promised at most"):
        table.add_column(heading, justify="right")
    table.add_row(f"{alarms}", f"{SEARCH_SHARE * rows / NULL_SAMPLES:.0f}")
    return table


def rows_to_safety(plan: Plan, rows: Comparisons) -> tuple[int, int] | None:
    """The compared rows until the first finding, and until its scope is in safe mode; the group is watched by an order
    at the end of the tick that finds it, unless the search arms. None where that does not come.
    """
    state, found = initial_state(plan), 0
    for begin in range(0, len(rows), plan.tick_rows):
        state, _ = watch.step(plan, state, rows.take(slice(begin, begin + plan.tick_rows)))
        found = found or next((each.row for each in state.search.findings), 0)
        if found and not state.added and (scopes := found_scopes(plan, state)):
            order = Order("o", 0.0, plan.model, next(iter(scopes.values())).scope, WATCH_GROUP, "ann", "a reason")
            state = apply_group_order(plan, state, order)
        if state.added and state.modes[-1].safe:
            return found, int(state.compared[0])
    return None


def watched_table() -> Table:
    """The table of delays to safe mode, in compared rows of the model."""
    demo = demo_rows(HARMFUL[0])
    table = Table(title=f"Rows until the found group is in safe mode, {ORDERS} orders of 12,000 rows")
    for heading in ("pair", "by", "in safe mode", "found", "safe, median", "most"):
        table.add_column(heading)
    for arms in (False, True):
        assert demo.plan.search is not None
        plan = replace(demo.plan, search=replace(demo.plan.search, arms=arms))
        made = [rows_to_safety(plan, demo.ordered(order)) for order in orders(len(demo.rows), story=False)]
        rows = np.array([each for each in made if each is not None])
        found, safe = np.median(rows, axis=0)
        by = "hunter: arm" if arms else "order at the finding"
        safety = f"{len(rows)} of {ORDERS}", f"{found:,.0f}", f"{safe:,.0f}", f"{rows[:, 1].max():,.0f}"
        table.add_row(HARMFUL[0], by, *safety)
    return table


def main() -> None:
    """Print one of the tables."""
    tables = {"null": null_table, "watched": watched_table}
    chosen = next((tables[name] for name in sys.argv[1:] if name in tables), demo_table)
    Console(width=160).print(chosen())


if __name__ == "__main__":
    main()
