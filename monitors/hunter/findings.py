"""A found group: the slice that an alarm names, what is known of it, and its figures since then."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors.hunter.columns import Layout, Predicate
from tightrope.monitors.hunter.lattice import MAX_SLICES, Lattice
from tightrope.monitors.intervals.sequences import proof_needed, rate_interval
from tightrope.monitors.records import Bools, Floats
from tightrope.monitors.verdict import Interval

MIN_SUPPORT = 20
"""Rows of a slice below which it is never named: a few rows would tell about persons."""

NEAR_NATS = 2.0
"""Among slices whose evidence is this close to the best one's, the one with the fewest predicates is named."""

PART_OF_EVIDENCE = 0.5
"""A slice that contains the best one counts as close from this part of its evidence on: the larger group is harmed."""

FRESH_STEPS = 64
"""Steps after which the figures since the finding take the place of those before."""

COHORT_STEPS = 512
"""Steps after which the figures of a found group start anew; those before are shown until there are enough again."""

INTERVAL_ALPHA = 0.05
"""The risk of an interval. The rows that led to a finding were chosen among all slices, which share it."""


@dataclass(frozen=True, slots=True)
class FoundGroup:
    """A group that no configuration declares, in which answers differ more often than its ``limit`` allows.

    ``number`` counts the findings of a model. It was found after ``row`` compared rows, at event ``time``; the excess
    began about after ``since_row``, at ``since_time``. ``evidence`` (nats) is that of the alarm. ``steps`` and
    ``total`` are the latest steps of evidence and the sum of their losses, ``first_steps`` and ``first_total`` those
    before, which at first led to the finding; ``rows`` of the ``model_rows`` since the search began are in the group.

    >>> finding = FoundGroup(1, ((3, 17.0, 17.0),), 0.1, 384, 0.0, 60, 0.0, 20.1, first_steps=28.0, first_total=18.0)
    >>> round(finding.now.mean, 3), finding.now.rows
    (0.643, 28)
    """

    number: int
    predicates: tuple[Predicate, ...]
    limit: float
    row: int
    time: float
    since_row: int
    since_time: float
    evidence: float
    first_steps: float
    first_total: float
    steps: float = 0.0
    total: float = 0.0
    rows: int = 0
    model_rows: int = 0

    @property
    def now(self) -> Interval:
        """The rate with its interval: since the finding, or before it while there are few steps since."""
        fresh = self.steps >= FRESH_STEPS
        steps, total = (self.steps, self.total) if fresh else (self.first_steps, self.first_total)
        alpha = INTERVAL_ALPHA if fresh else INTERVAL_ALPHA / MAX_SLICES
        low, high = rate_interval(np.array([steps]), np.array([total]), proof_needed(alpha))
        return Interval(total / max(steps, 1.0), float(low[0]), float(high[0]), int(steps))

    @property
    def is_over(self) -> bool:
        """Whether the figures since the finding prove a rate below the limit."""
        return self.steps >= FRESH_STEPS and self.now.upper < self.limit

    @property
    def share(self) -> float:
        """The group's share of the compared rows."""
        return self.rows / max(self.model_rows, 1)

    def members(self, vectors: Floats) -> Bools:
        """The rows (n, width) of the group, (n,)."""
        own = np.ones(len(vectors), dtype=bool)
        for column, low, high in self.predicates:
            own &= (vectors[:, column] >= low) & (vectors[:, column] <= high)
        return own

    def after(self, rows: int, model_rows: int, steps: float, total: float) -> "FoundGroup":
        """The finding after a tick: its own rows and steps, the sum of the steps' losses, and the rows of the model."""
        rows, model_rows, steps, total = (
            self.rows + rows, self.model_rows + model_rows, self.steps + steps, self.total + total,
        )  # fmt: skip
        if steps < COHORT_STEPS:
            return replace(self, rows=rows, model_rows=model_rows, steps=steps, total=total)
        after = replace(self, rows=rows, model_rows=model_rows, steps=0.0, total=0.0)
        return replace(after, first_steps=steps, first_total=total)


def name_slice(lattice: Lattice, evidence: Floats, support: Floats, threshold: float) -> int | None:
    """The slice to name: None unless one with enough rows has an evidence (S,), in nats, of at least ``threshold``.

    >>> lattice = Lattice.of([(0, 1.0, 1.0), (1, 2.0, 2.0)], [(0,), (1,), (0, 1)], 0.1)
    >>> name_slice(lattice, np.array([18.5, 3.0, 20.0]), np.array([40.0, 90.0, 30.0]), threshold=19.6)
    0
    """
    known = np.where(support >= MIN_SUPPORT, evidence, -np.inf)
    best = float(known.max(initial=-np.inf))
    if not best >= threshold:
        return None
    leader = lattice.slices[int(known.argmax())]
    contains = np.isin(lattice.slices, [*leader, len(lattice.column)]).all(axis=1)
    near = np.flatnonzero((known >= best - NEAR_NATS) | (contains & (known >= PART_OF_EVIDENCE * best)))
    order = np.lexsort((near, -known[near], lattice.depth[near]))
    return int(near[order[0]])


def describe_finding(finding: FoundGroup, layout: Layout, unit: str) -> str:
    """A finding in one sentence for people; ``unit`` is the unit of numbers of rows.

    >>> from tightrope.monitors.hunter.columns import InputColumn
    >>> layout = Layout((InputColumn("x", 0, "residence", {17.0: "group quarters"}),), ())
    >>> found = FoundGroup(1, ((0, 17.0, 17.0),), 0.1, 384, 0.0, 60, 0.0, 20.1, 28.0, 18.0, rows=28, model_rows=384)
    >>> describe_finding(found, layout, "request")
    'residence: group quarters: 64 in 100 answers differ (19 to 96, 28 rows), limit 10; 7.3 % of the compared rows; \
since about request 60'
    """
    now, start = finding.now, f"about {unit} {finding.since_row:,}" if finding.since_row else f"the first {unit}"
    ends = f"{_in_hundred(now.lower)} to {_in_hundred(now.upper)}, {now.rows:,} rows"
    rate = f"{_in_hundred(now.mean)} in 100 answers differ ({ends}), limit {_in_hundred(finding.limit)}"
    share = f"{_in_hundred(finding.share)} % of the compared rows"
    return f"{layout.words(finding.predicates)}: {rate}; {share}; since {start}"


def _in_hundred(rate: float) -> str:
    number = 100 * rate
    return f"{number:.0f}" if round(number) >= 10 else f"{number:.2g}"  # noqa: PLR2004 - two digits


def free_rows(findings: Sequence[FoundGroup], vectors: Floats) -> Bools:
    """The rows (n, width) that are in no found group, (n,)."""
    free = np.ones(len(vectors), dtype=bool)
    for finding in findings:
        free &= ~finding.members(vectors)
    return free
