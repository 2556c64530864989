"""Labels of reviewers under a daily cap: false alarms of the monitors of labels, each at its limit on busy days.

Traffic is uneven from day to day, and so are two groups. In the small one the baseline is right in every disagreement,
in the other in half of them, so that labels of the small group, which are drawn more often, weigh too much wherever a
row's own probability is left out.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.situations.lines import Size
from benchmarks.situations.reviewed_labels import ACCURATE, CONFIDENT, DOUBT
from benchmarks.whole_fold import held
from benchmarks.written_parts import markdown_table
from tightrope.monitors import watch
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import SUBGROUP_SHARE
from tightrope.monitors.definitions.label_monitors import LABEL_MONITORS
from tightrope.monitors.label_join import count_agreed, is_usable, labelled_comparisons, rows_awaiting_labels
from tightrope.monitors.label_records import Label
from tightrope.monitors.plan import Plan, State, Transition, initial_state
from tightrope.monitors.records import MODEL_SCOPE, Bools, Comparisons, Floats, Ints, Stream
from tightrope.monitors.review.common_rate import at_common_rate
from tightrope.monitors.review.daily_cap import DailyCap, ReviewDays
from tightrope.monitors.safemode import Input
from tightrope.monitors.veto.drawing import LabelDraw

SIZES = (Size(16, 65_536, 0, 0), Size(1, 8_192, 0, 0))
"""The sizes of a full measurement and of a quick one."""

SAMPLES_PER_FALSE_ALARM, STRICT_SAMPLES, BATCH = 1e3, 1e5, 512
CAP = DailyCap(LabelDraw(disagreements=0.5, random=0.02, floor=0.05), rows=12)
SCOPES = (MODEL_SCOPE, "size=few", "size=many")
WEEK = ((2_048, 0.3), (2_048, 0.3), (512, 0.1), (2_048, 0.3), (2_048, 0.3), (256, 0.1), (128, 0.1))
"""The rows of each day of a week, and the share of the small group among them."""

DIFFERING = 1 / 30
LIMITS = {"accuracy": (0.01, 1 / 30, 0.01)}
"""One row in 30 differs. On busy days accuracy, .3 of a thirtieth, and excess risk, .3, are at their limits, and on all
days accuracy of the small group.
"""


@dataclass(frozen=True)
class CappedTraffic:
    """Rows (n,): their day, whether they are of the small group, whether they differ, the true class, and the draw."""

    day: Ints
    few: Bools
    disagree: Bools
    truth: Bools
    draw: Floats

    @classmethod
    def draw_rows(cls, seed: int, n: int) -> "CappedTraffic":
        """Draw independent rows, week after week."""
        rng = np.random.default_rng(seed)
        weeks = n // sum(rows for rows, _ in WEEK) + 1
        days = WEEK * weeks
        day = np.repeat(np.arange(len(days)), [rows for rows, _ in days])[:n]
        few = rng.random(n) < np.array([share for _, share in days])[day]
        disagree = rng.random(n) < DIFFERING
        right = np.where(disagree, np.where(few, 1.0, 0.5), ACCURATE)
        return cls(day, few, disagree, rng.random(n) >= right, rng.random(n))

    def compared(self) -> Comparisons:
        """The rows as comparisons, on which the baseline says 0."""
        n = len(self.day)
        return Comparisons.from_columns(
            n, model="m", baseline_digest="b", compressed_digest="c", log="log", scopes=SCOPES[1:],
            offset=np.arange(n), time=np.arange(n) / 10, draw=self.draw, request_id=tuple(map(str, range(n))),
            member=np.column_stack([self.few, ~self.few]), disagree=self.disagree, top_baseline=0,
            top_compressed=self.disagree.astype(int), confidence_baseline=CONFIDENT,
            confidence_compressed=CONFIDENT - DOUBT,
        )  # fmt: skip

    def batches(self) -> Iterator[slice]:
        """The rows in batches, each of one day."""
        starts = np.flatnonzero(np.diff(self.day, prepend=-1)).tolist()
        for start, end in zip(starts, [*starts[1:], len(self.day)], strict=True):
            for begin in range(start, end, BATCH):
                yield slice(begin, min(begin + BATCH, end))


@dataclass(frozen=True)
class FoldWay:
    """A way to fold labels: with each row's own probability or one for all; excess risk at a common rate or not; at one
    false alarm in ``samples`` rows.
    """

    own: bool = True
    common_rate: bool = True
    samples: float = STRICT_SAMPLES

    @property
    def draw(self) -> LabelDraw:
        """The draw that the fold takes for true."""
        return CAP.draw if self.own else replace(CAP.draw, floor=0.0)

    def plan(self) -> Plan:
        """The plan of a classifier with two subgroups whose monitors are those of labels."""
        specs = []
        for monitor in LABEL_MONITORS:
            observed = at_common_rate(monitor, CAP.draw.floor) if self.common_rate else monitor
            limits = np.array(LIMITS.get(monitor.name, (monitor.limit,)))
            spec = MonitorSpec(observed, monitor.variants(2), limits)
            specs.append(replace(spec, bound=1 / self.draw.least) if monitor.zeros else spec)
        plan = Plan("m", "b", "c", SCOPES, np.ones(len(SCOPES)), build_rules(specs, 0.75), Budget(self.samples))
        return replace(plan, label_horizon=1e9, label_draw=self.draw, digest="capped reviews")

    def folded(self, rows: Comparisons) -> Comparisons:
        """The rows as the fold sees them."""
        return rows if self.own else replace(rows, chances=np.zeros((len(rows), 0)))

    def probabilities(self, rows: Comparisons) -> Floats:
        """The probabilities that labels of these rows name, (n,)."""
        return self.draw.of_rows(self.folded(rows)).probabilities


WAYS: Mapping[str, FoldWay] = {
    "each row's own probability": FoldWay(samples=SAMPLES_PER_FALSE_ALARM),
    "the same, at a stricter budget": FoldWay(),
    "the probability of `labels` for all rows": FoldWay(own=False),
    "each row's own, but excess risk over all labels": FoldWay(common_rate=False),
}


def review_rows(
    plan: Plan, state: State, rows: Comparisons, truth: Bools, way: FoldWay
) -> tuple[State, list[Transition], list[tuple[float, int]]]:
    """Fold a batch, and the labels of the rows that are in the queue by their own probabilities; returns the
    observation of accuracy of each label, and the rows that enter with it.
    """
    seen, queued = way.folded(rows), CAP.draw.of_rows(rows).drawn
    agreed, rest = count_agreed(plan, state.veto.agreed, seen, state.is_new(seen))
    waiting = [*rows_awaiting_labels(plan, seen, agreed)]
    state, _ = watch.step(plan, state, seen)
    state = replace(state, veto=replace(state.veto, agreed=rest))
    pairs, added = [], []
    for index in np.flatnonzero(queued).tolist():
        row, probability = waiting[index], float(way.probabilities(rows)[index])
        label = Label("m", row.request_id, row.row, int(truth[index]), row.time, "review:1", probability)
        if is_usable(plan, row, label):
            pairs.append((row, label))
            gap = (row.top_baseline == label.label) - (row.top_compressed == label.label)
            added.append((gap / probability, 1 + row.agreed[0] if row.agreed else 0))
    if not pairs:
        return state, [], added
    state, transitions = watch.step(plan, state, labelled_comparisons(plan, state.log, pairs), Stream.LABELS)
    return state, transitions, added


@dataclass(frozen=True)
class CappedResult:
    """The false alarms by monitor, the labels, the sum of the observations of accuracy, and the rows behind it."""

    alarms: Counter[str]
    labels: int
    total: float
    rows: int


def measured(way: FoldWay, seed: int, n: int) -> CappedResult:
    """Fold n rows at the limits."""
    plan, traffic = way.plan(), CappedTraffic.draw_rows(seed, n)
    rows, state, alarms, shown = traffic.compared(), held(plan, initial_state(plan)), Counter[str](), []
    days = ReviewDays.begin(CAP, 0)
    for own in traffic.batches():
        days, batch = days.on_day(CAP, int(traffic.day[own.start])).after(CAP, rows.take(own))
        state, transitions, added = review_rows(plan, state, batch, traffic.truth[own], way)
        for each in transitions:
            if each.trigger is Input.BREACH:
                alarms[each.reason.split()[0]] += 1
        shown += added
        state = held(plan, state)
    return CappedResult(alarms, len(shown), sum(gap for gap, _ in shown), sum(rows for _, rows in shown))


def promised(way: FoldWay, rows: int) -> dict[str, float]:
    """The false alarms that each monitor promises at most in this number of compared rows."""
    shares = {monitor.name: monitor.share for monitor in LABEL_MONITORS}
    shares["accuracy"] += SUBGROUP_SHARE
    return {name: share * rows / way.samples for name, share in shares.items()}


def table(size: Size) -> str:
    """The table of ways to fold, in Markdown: false alarms promised at most, and those that were raised."""
    rows = size.quiet_runs * size.quiet_rows
    lines = [["the fold takes", "A", "labels", "accuracy", "excess risk", "Brier, calibration", "gap shown"]]
    for name, way in WAYS.items():
        found = [measured(way, seed, size.quiet_rows) for seed in range(size.quiet_runs)]
        most, alarms = promised(way, rows), sum((each.alarms for each in found), Counter[str]())
        groups = (("accuracy",), ("excess_risk",), ("brier", "calibration"))
        pairs = [(sum(alarms[each] for each in group), sum(most[each] for each in group)) for group in groups]
        gap = sum(each.total for each in found) / sum(each.rows for each in found)
        labels = sum(each.labels for each in found)
        told = [f"{raised} of {allowed:.3g}" for raised, allowed in pairs]
        lines.append([name, f"{way.samples:,.0f}", f"{labels:,}", *told, f"{gap:.4f}"])
    lines.append(["all rows, by their true classes", *["-"] * 5, f"{true_gap(size):.4f}"])
    return markdown_table(lines)


def true_gap(size: Size) -> float:
    """The mean of accuracy over all rows, by their true classes."""
    streams = [CappedTraffic.draw_rows(seed, size.quiet_rows) for seed in range(size.quiet_runs)]
    return float(np.mean([np.where(each.disagree, np.where(each.truth, -1, 1), 0).mean() for each in streams]))
