"""Benchmark of the slots of the search: slices that are chosen from the rows so far, beside the lattice and alone.

python -m benchmarks.slots           # delays and names on the demo, 20 orders
python -m benchmarks.slots null      # false alarms at the limit beside the promise
python -m benchmarks.slots planted   # harm where three columns meet
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.hunter import BATCH_ROWS, HARMFUL, HARMLESS, ORDERS, demo_rows, orders, search
from tightrope.monitors import watch
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE, SEARCH_SHARE, SLOT_SHARE
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.hunter.findings import FoundGroup
from tightrope.monitors.hunter.lattice import build_lattice
from tightrope.monitors.hunter.search import SearchPlan
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import MODEL_SCOPE, Comparisons

SEED = 20_261_130
LATTICE, SLOTS_ALONE, BOTH = "lattice", "slots", "both"
SHARES = {LATTICE: SEARCH_SHARE, SLOTS_ALONE: SLOT_SHARE, BOTH: SEARCH_SHARE + SLOT_SHARE}
NULL_SAMPLES = {LATTICE: 300.0, SLOTS_ALONE: 60.0, BOTH: 300.0}
"""The alarm budgets of the simulations at the limit: small ones, so that there are alarms to count."""


def searched_by(plan: Plan, parts: str) -> Plan:
    """The plan with these parts of its search: its lattice, its slots, or both."""
    assert plan.search is not None
    if parts != SLOTS_ALONE:
        return replace(plan, search=replace(plan.search, slots=parts == BOTH))
    assert plan.search.reference is not None
    whole = plan.search.reference
    empty = replace(whole, slices=whole.slices[:0], limits=whole.limits[:0], is_complete=True)
    return replace(plan, search=replace(plan.search, reference=empty))


def found_text(firsts: list[FoundGroup | None], plan: Plan) -> list[str]:
    """The cells of first findings: how many, after how many rows, and their names."""
    assert plan.search is not None
    found = [first for first in firsts if first is not None]
    if not found:
        return [f"0 of {len(firsts)}", "", "", ""]
    at = np.array([float(first.row) for first in found])
    names = Counter(plan.search.layout.words(first.predicates) for first in found).most_common(3)
    shown = ", ".join(f"{text} ({count})" for text, count in names)
    return [f"{len(found)} of {len(firsts)}", f"{np.median(at):,.0f}", f"{at.max():,.0f}", shown]


def demo_table() -> Table:
    """The table of first findings, by pair and parts of the search."""
    table = Table(title=f"Nothing declared, limit 10 in 100, {ORDERS} orders of 12,000 rows")
    for heading in ("pair", "order", "by", "found", "median", "most", "first names"):
        table.add_column(heading)
    for name in (*HARMFUL, *HARMLESS):
        demo = demo_rows(name)
        for story in (False, True) if name == HARMFUL[0] else (False,):
            for parts in SHARES:
                plan = searched_by(demo.plan, parts)
                firsts = [next(search(plan, demo.ordered(each)), None) for each in orders(len(demo.rows), story=story)]
                table.add_row(name, "story" if story else "shuffled", parts, *found_text(firsts, plan))
    return table


def null_table() -> Table:
    """The table of false alarms: every row disagrees with the probability of the limit, by chance."""
    demo, table = demo_rows(HARMFUL[0]), Table(title="False alarms at the limit of every slice, the demo's inputs")
    for heading in ("by", "A", "rows", "alarms", "of three predicates", "promised at most"):
        table.add_column(heading, justify="right")
    for parts, samples in NULL_SAMPLES.items():
        plan = replace(searched_by(demo.plan, parts), budget=Budget(samples))
        assert plan.search is not None
        alarms, of_three, rows = 0, 0, 0
        for seed, order in enumerate(orders(len(demo.rows), story=False)):
            chance = np.random.default_rng(1_000 + seed).random(len(order)) < plan.search.limit
            found = list(false_alarms(plan, replace(demo.ordered(order), disagree=chance)))
            alarms, rows = alarms + len(found), rows + len(order)
            of_three += sum(len(each.predicates) > 2 for each in found)  # noqa: PLR2004 - the lattice has pairs
        promised = f"{SHARES[parts] * rows / samples:.0f}"
        table.add_row(parts, f"{samples:,.0f}", f"{rows:,}", f"{alarms}", f"{of_three}", promised)
    return table


def false_alarms(plan: Plan, rows: Comparisons) -> Iterator[FoundGroup]:
    """The findings in rows, each forgotten after its batch: else its rows would be left out."""
    state = initial_state(plan)
    for begin in range(0, len(rows), BATCH_ROWS):
        state, _ = watch.step(plan, state, rows.take(slice(begin, begin + BATCH_ROWS)))
        yield from state.search.findings
        state = replace(state, search=replace(state.search, findings=()))


@dataclass(frozen=True)
class Planted:
    """Rows of ``columns`` independent codes from 0 to ``codes`` - 1, alike frequent. Of rows that are 1 in the first
    three columns ``harmed`` differ, of others .5 %.
    """

    codes: int
    harmed: float
    columns: int = 10
    rows: int = 16_384
    runs: int = 10

    def plan(self) -> Plan:
        """A plan whose search has a lattice of 5,000 rows of these columns, and a limit of 10 %."""
        columns = tuple(InputColumn("x", index, f"column {index}") for index in range(self.columns))
        given = SearchPlan(columns, (), 0.1)
        codes = np.random.default_rng(SEED).integers(0, self.codes, (5_000, self.columns))
        vectors = np.column_stack([codes, np.full((5_000, 2), np.nan)]).astype(np.float64)
        lattice = build_lattice(given.layout, vectors, np.full(5_000, np.nan), given.limit)
        rules = build_rules([MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.5]))], 0.75)
        given = replace(given, reference=replace(lattice, is_complete=True))
        return Plan("m", "b", "c", (MODEL_SCOPE,), np.ones(1), rules, tick_seconds=1e9, search=given)

    def drawn(self, seed: int) -> Comparisons:
        """Draw the rows of a run."""
        rng = np.random.default_rng([SEED, seed])
        codes = rng.integers(0, self.codes, (self.rows, self.columns))
        harmed = (codes[:, :3] == 1).all(axis=1)
        return Comparisons.from_columns(
            self.rows, model="m", baseline_digest="b", compressed_digest="c", log="log",
            request_id=tuple(map(str, range(self.rows))), offset=np.arange(self.rows), time=np.arange(self.rows) / 100,
            draw=0.5, features=codes, disagree=rng.random(self.rows) < np.where(harmed, self.harmed, 0.005),
            top_baseline=0, top_compressed=0, confidence_baseline=0.95, confidence_compressed=0.95,
        )  # fmt: skip


PLANTED = (Planted(4, 0.9), Planted(5, 0.9), Planted(5, 0.4))


def planted_table() -> Table:
    """The table of first findings where harm is planted."""
    table = Table(title="Harm where three columns meet: rows until the first finding, and until those three are named")
    for heading in ("share of rows", "differ", "by", "found", "median", "most", "first names", "named", "median"):
        table.add_column(heading)
    for planted in PLANTED:
        for parts in (LATTICE, BOTH):
            plan = searched_by(planted.plan(), parts)
            found = [list(search(plan, planted.drawn(seed))) for seed in range(planted.runs)]
            firsts = [each[0] if each else None for each in found]
            wanted = {(column, 1.0, 1.0) for column in range(3)}
            named = [next((float(one.row) for one in each if {*one.predicates} == wanted), np.inf) for each in found]
            share = f"{100 / planted.codes**3:.1f} %"
            told = f"{np.isfinite(named).sum()} of {planted.runs}", f"{np.median(named):,.0f}"
            table.add_row(share, f"{planted.harmed:.0%}", parts, *found_text(firsts, plan), *told)
    return table


def main() -> None:
    """Print one of the tables."""
    tables = {"null": null_table, "planted": planted_table}
    chosen = next((tables[name] for name in sys.argv[1:] if name in tables), demo_table)
    Console(width=200).print(chosen())


if __name__ == "__main__":
    main()
