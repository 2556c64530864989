"""Harm in an intersection of two declared attributes, which no declared value shows: rows until it is seen.

Tightrope declares the attributes, and its search looks at their intersections; or each intersection is a subgroup of
its own. Other methods watch each of the 38 intersections.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from benchmarks.power.method import CellSpec, Method, Rows
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from benchmarks.situations.lines import PROMISED, Size, delays_text, is_budgeted, promise_text, rate_text
from benchmarks.whole_fold import held
from benchmarks.written_parts import markdown_table
from tightrope.monitors import watch
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.hunter.lattice import build_lattice
from tightrope.monitors.hunter.search import SearchPlan
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import MODEL_SCOPE, Bools, Comparisons, Ints
from tightrope.monitors.safemode import Input

SIZES = (Size(1, 100_000, 12, 30_000), Size(1, 4_096, 1, 6_144))
"""The sizes of a full measurement and of a quick one."""

ATTRIBUTES = {"sex": 2, "age": 4, "region": 5}
VALUES = tuple(f"{name}={value}" for name, count in ATTRIBUTES.items() for value in range(count))
PAIRS = tuple(
    (first, second) for first, second in combinations(range(len(VALUES)), 2)
    if VALUES[first].partition("=")[0] != VALUES[second].partition("=")[0]
)  # fmt: skip
"""The intersections: pairs of values of different attributes, by number."""

HARMED = (VALUES.index("age=1"), VALUES.index("region=2"))
SOUND, HARMFUL, SUBGROUP_LIMIT = 0.01, 0.12, 0.04
REFERENCE_ROWS, WINDOW, BATCH = 5_000, 200, 1_024

SEARCH, DECLARED = "Tightrope, attributes declared, search", "Tightrope, intersections declared"


def drawn_members(rng: np.random.Generator, n: int) -> Bools:
    """Draw the membership of rows in the declared values, (n, 11): one of each attribute, all alike frequent."""
    codes = [rng.integers(0, count, n) for count in ATTRIBUTES.values()]
    masks = [code[:, None] == np.arange(count) for code, count in zip(codes, ATTRIBUTES.values(), strict=True)]
    return np.concatenate(masks, axis=1)


def crossed(member: Bools) -> Bools:
    """The membership of rows in the intersections, (n, 38)."""
    first, second = np.array(PAIRS).T
    return np.asarray(member[:, first] & member[:, second])


@dataclass(frozen=True)
class Rowset:
    """Rows with their membership (n, 11), and whether they differ (n,)."""

    member: Bools
    disagree: Bools

    @classmethod
    def draw(cls, seed: int, n: int, *, quiet: bool) -> "Rowset":
        """Draw rows: all at the limit of a subgroup, or sound ones but for the harmed intersection."""
        rng = np.random.default_rng(seed)
        member = drawn_members(rng, n)
        harmed = member[:, HARMED[0]] & member[:, HARMED[1]]
        rate = np.full(n, SUBGROUP_LIMIT) if quiet else np.where(harmed, HARMFUL, SOUND)
        return cls(member, rng.random(n) < rate)

    def compared(self, plan: Plan) -> Comparisons:
        """The rows as comparisons of a plan, with the intersections if it declares them."""
        n = len(self.disagree)
        member = np.concatenate([self.member, crossed(self.member)], axis=1)[:, : len(plan.scopes) - 1]
        return Comparisons.from_columns(
            n, model="m", baseline_digest="b", compressed_digest="c", log="log", scopes=plan.scopes[1:], member=member,
            offset=np.arange(n), time=np.arange(n) / 100, draw=0.5, request_id=tuple(map(str, range(n))),
            disagree=self.disagree, top_baseline=self.disagree.astype(int), top_compressed=0,
            confidence_baseline=0.9, confidence_compressed=0.9,
        )  # fmt: skip


def scope_of(pair: tuple[int, int]) -> str:
    """The name of the scope of an intersection.

    >>> scope_of(HARMED)
    'age and region=1 and 2'
    """
    names, values = zip(*(VALUES[each].split("=") for each in pair), strict=True)
    return f"{' and '.join(names)}={' and '.join(values)}"


def build_plan(*, declared: bool, quiet: bool) -> Plan:
    """The plan of a model with the three attributes, and its search or the intersections as subgroups."""
    scopes = (MODEL_SCOPE, *VALUES, *((scope_of(pair) for pair in PAIRS) if declared else ()))
    limits = np.full(len(scopes), SUBGROUP_LIMIT)
    limits[0] = SUBGROUP_LIMIT if quiet else CATALOGUE["disagreement"].limit
    rules = build_rules([MonitorSpec(CATALOGUE["disagreement"], ("",), limits)], 0.75)
    budget, rates = Budget(SAMPLES_PER_FALSE_ALARM), np.ones(len(scopes))
    plan = Plan("m", "b", "c", scopes, rates, rules, budget, tick_seconds=1e9)
    if declared:
        return plan
    search = SearchPlan((), VALUES, SUBGROUP_LIMIT)
    member = drawn_members(np.random.default_rng(9), REFERENCE_ROWS).astype(np.float64)
    vectors = np.column_stack([np.full((REFERENCE_ROWS, 2), np.nan), member])
    lattice = build_lattice(search.layout, vectors, np.full(REFERENCE_ROWS, np.nan), SUBGROUP_LIMIT)
    return replace(plan, search=replace(search, reference=lattice))


def fold(plan: Plan, rows: Comparisons) -> Iterator[tuple[int, str]]:
    """Yield the row of each alarm with the scope, or the words of the group that was found; detectors start anew."""
    state = held(plan, initial_state(plan))
    for begin in range(0, len(rows), BATCH):
        state, transitions = watch.step(plan, state, rows.take(slice(begin, begin + BATCH)))
        yield from ((int(str(t.evidence["samples"])), t.scope) for t in transitions if t.trigger is Input.BREACH)
        for finding in state.search.findings if plan.search is not None else ():
            assert plan.search is not None
            yield finding.row, plan.search.layout.words(finding.predicates)
        state = held(plan, replace(state, search=replace(state.search, findings=())))  # else its rows are left out


def judged(name: str, size: Size) -> list[str]:
    """The cells of a line of Tightrope: false alarms, delays, and how often the intersection itself was named."""
    declared, false, delays, named = name == DECLARED, 0, list[float](), 0
    plan = build_plan(declared=declared, quiet=True)
    for seed in range(size.quiet_runs):
        false += len(list(fold(plan, Rowset.draw(seed, size.quiet_rows, quiet=True).compared(plan))))
    plan = build_plan(declared=declared, quiet=False)
    wanted = {scope_of(HARMED), " and ".join(VALUES[each].replace("=", ": ") for each in HARMED)}
    for seed in range(size.runs):
        rows = Rowset.draw(1_000 + seed, size.rows, quiet=False).compared(plan)
        row, words = next(fold(plan, rows), (np.inf, ""))
        delays.append(float(row))
        named += words in wanted
    return [rate_text(false, size.quiet_runs * size.quiet_rows), delays_text(delays), f"{named} of {size.runs}"]


def pair_alarms(method: Method, rows: Rowset, healthy: Rowset, pair: int) -> Ints:
    """The rows after which a method alarms in one intersection."""
    own = np.flatnonzero(crossed(rows.member)[:, pair])
    reference = healthy.disagree[crossed(healthy.member)[:, pair]].astype(np.float64)
    spec = CellSpec(Hypothesis.RATE, SUBGROUP_LIMIT, reference, WINDOW, 1 / len(PAIRS))
    n = len(rows.disagree)
    return method.alarms(spec, Rows(rows.disagree[own].astype(np.float64), own, n), n) + 1


def watched(method: Method, size: Size) -> list[str]:
    """The cells of a line of another method, with a cell for each intersection."""
    sound = Rowset.draw(7, 40_000, quiet=False)
    healthy = replace(sound, disagree=np.random.default_rng(8).random(len(sound.disagree)) < SOUND)
    false, delays, named = 0, list[float](), 0
    for seed in range(size.quiet_runs):
        rows = Rowset.draw(seed, size.quiet_rows, quiet=True)
        false += sum(len(pair_alarms(method, rows, healthy, pair)) for pair in range(len(PAIRS)))
    for seed in range(size.runs):
        rows = Rowset.draw(1_000 + seed, size.rows, quiet=False)
        first = [(*pair_alarms(method, rows, healthy, pair).tolist(), np.inf)[0] for pair in range(len(PAIRS))]
        own = first[PAIRS.index(HARMED)]
        delays.append(float(own))
        named += bool(own < np.inf and own == min(first))
    return [rate_text(false, size.quiet_runs * size.quiet_rows), delays_text(delays), f"{named} of {size.runs}"]


def table(methods: Sequence[Method], size: Size) -> str:
    """The table of intersections, in Markdown."""
    quiet = f"all at {SUBGROUP_LIMIT:.0%}: false alarms".replace("%", " %")
    head = ["method", "promised, at most", quiet, "one at 12 %: delay", "named first"]
    lines = [head, *([name, promise_text(PROMISED), *judged(name, size)] for name in (SEARCH, DECLARED))]
    for method in methods:
        # Each row lies in three intersections, and each cell has the budget for its own rows.
        promised = 3 * PROMISED if is_budgeted(method.name) else None
        lines.append([method.name, promise_text(promised), *watched(method, size)])
    return markdown_table(lines)
