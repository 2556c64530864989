"""Labels on a budget: rows and labels until it is seen that the compressed model is wrong more often than its baseline.

Tightrope labels disagreements alone, each with a probability. Other methods get as many labels, of rows chosen at
random, and the difference of being right of each: 1 where only the baseline is, -1 where only the compressed model is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
from tightrope.monitors.label_join import count_agreed, labelled_comparisons, rows_awaiting_labels
from tightrope.monitors.label_records import Label
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import MODEL_SCOPE, Bools, Comparisons, Floats, Stream
from tightrope.monitors.safemode import Input
from tightrope.monitors.veto.drawing import LabelDraw, label_numbers

SIZES = (Size(1, 60_000, 10, 40_000), Size(1, 2_048, 1, 6_144))
"""The sizes of a full measurement and of a quick one."""

DIFFERING, WINDOW, HEALTHY_ROWS, BATCH = 0.05, 200, 1_000, 256
ACCURACY = CATALOGUE["accuracy"]
PROBABILITIES = (1.0, 0.5, 0.25)
AT_LIMIT = 0.6
"""The share of disagreements in which the baseline is right at which the gap is the limit of accuracy, .01."""

GAPS: Mapping[str, float] = {"gap 5 in 100": 1.0, "gap 3 in 100": 0.8}
"""The share of disagreements in which the baseline is right, by the gap."""


@dataclass(frozen=True)
class Truths:
    """Rows: whether they differ, which model is right where they do, and the draw of each, all (n,)."""

    disagree: Bools
    baseline_right: Bools
    draw: Floats

    @classmethod
    def draw_rows(cls, seed: int, n: int, right: float) -> "Truths":
        """Draw rows; the baseline is right in this share of the disagreements."""
        rng = np.random.default_rng(seed)
        return cls(rng.random(n) < DIFFERING, rng.random(n) < right, rng.random(n))

    @property
    def gaps(self) -> Floats:
        """The difference of being right, baseline minus compressed, (n,)."""
        return np.where(self.disagree, np.where(self.baseline_right, 1.0, -1.0), 0.0)

    def compared(self) -> Comparisons:
        """The rows as comparisons; where they differ, the baseline says 0 and the compressed model 1."""
        n = len(self.disagree)
        return Comparisons.from_columns(
            n, model="m", baseline_digest="b", compressed_digest="c", log="log", offset=np.arange(n),
            time=np.arange(n) / 10, draw=self.draw, request_id=tuple(map(str, range(n))), disagree=self.disagree,
            top_baseline=0, top_compressed=self.disagree.astype(int), confidence_baseline=0.9,
            confidence_compressed=0.9,
        )  # fmt: skip


def build_plan(probability: float) -> Plan:
    """The plan of accuracy alone, which has the whole budget; disagreements are drawn with this probability."""
    draw = LabelDraw(probability, random=0.0)
    spec = MonitorSpec(ACCURACY, ("",), np.array([ACCURACY.limit]), bound=1 / draw.least)
    budget = Budget(SAMPLES_PER_FALSE_ALARM * ACCURACY.share)
    plan = Plan("m", "b", "c", (MODEL_SCOPE,), np.ones(1), build_rules([spec], 0.75), budget)
    return replace(plan, label_horizon=1e9, label_draw=draw, digest="drawn labels")


def label_batch(plan: Plan, state: State, rows: Comparisons, truths: Truths) -> tuple[State, bool]:
    """Fold a batch and the labels of its drawn disagreements; tell whether accuracy alarms."""
    agreed, rest = count_agreed(plan, state.veto.agreed, rows, state.is_new(rows))
    waiting = [row for row in rows_awaiting_labels(plan, rows, agreed) if row.agreed]
    state, _ = watch.step(plan, state, rows)
    state = replace(state, veto=replace(state.veto, agreed=rest))
    pairs = []
    for row in waiting:
        truth = 0 if truths.baseline_right[int(row.request_id)] else 1
        pairs.append((row, Label("m", row.request_id, row.row, truth, row.time, "", plan.label_draw.least)))
    if not pairs:
        return state, False
    state, transitions = watch.step(plan, state, labelled_comparisons(plan, state.log, pairs), Stream.LABELS)
    return state, any(each.trigger is Input.BREACH for each in transitions)


def judged_alarms(probability: float, truths: Truths, *, first: bool) -> list[int]:
    """The rows after which accuracy alarms, to the end of a batch; only the first one if that is asked for."""
    plan, rows, alarms = build_plan(probability), truths.compared(), list[int]()
    state = held(plan, initial_state(plan))
    for begin in range(0, len(rows), BATCH):
        state, alarmed = label_batch(plan, state, rows.take(slice(begin, begin + BATCH)), truths)
        if alarmed:
            alarms.append(min(begin + BATCH, len(rows)))
            if first:
                break
        state = held(plan, state)
    return alarms


def drawn_labels(truths: Truths, probability: float) -> Bools:
    """Mask the disagreements that are labelled, (n,)."""
    return np.asarray(truths.disagree & (label_numbers(truths.draw) < probability))


def random_labels(truths: Truths, probability: float) -> Bools:
    """Mask as many rows, chosen at random, (n,)."""
    return np.asarray(label_numbers(truths.draw) < DIFFERING * probability)


def window_alarms(method: Method, truths: Truths, labelled: Bools) -> list[int]:
    """The rows after which another method alarms on the labelled rows; its reference has a gap of 0."""
    own = np.flatnonzero(labelled)
    healthy = Truths.draw_rows(5, HEALTHY_ROWS, 0.5).gaps
    spec = CellSpec(Hypothesis.MEAN, float(ACCURACY.limit or 0.0), healthy, WINDOW)
    alarms = method.alarms(spec, Rows(truths.gaps[own], own, len(labelled)), len(labelled))
    return [int(each) + 1 for each in alarms]


def line(method: Method | None, probability: float, size: Size) -> list[str]:
    """The cells of a line: false alarms at the limit, then rows to an alarm and the labels until then, by gap."""
    false, cells = 0, list[str]()
    for seed in range(size.quiet_runs):
        truths = Truths.draw_rows(seed, size.quiet_rows, AT_LIMIT)
        false += len(_alarms(method, probability, truths, first=False))
    for right in GAPS.values():
        delays, labels = list[float](), list[int]()
        for seed in range(size.runs):
            truths = Truths.draw_rows(1_000 + seed, size.rows, right)
            delays.append(float((*_alarms(method, probability, truths, first=True), np.inf)[0]))
            mask = drawn_labels(truths, probability) if method is None else random_labels(truths, probability)
            labels.append(int(mask[: int(min(delays[-1], size.rows))].sum()))
        cells += [delays_text(delays), f"{np.median(labels):,.0f}"]
    return [rate_text(false, size.quiet_runs * size.quiet_rows), *cells]


def _alarms(method: Method | None, probability: float, truths: Truths, *, first: bool) -> list[int]:
    if method is None:
        return judged_alarms(probability, truths, first=first)
    return window_alarms(method, truths, random_labels(truths, probability))


def table(methods: Sequence[Method], size: Size) -> str:
    """The table of label budgets, in Markdown: Tightrope, then other methods with as many labels."""
    head = ["method", "labels", "promised, at most", "gap at the limit, 1 in 100: false alarms"]
    for name in GAPS:
        head += [f"{name}: rows", "labels"]
    lines = [head]
    for method in (None, *methods):
        for probability in PROBABILITIES:
            name = "Tightrope, disagreements" if method is None else method.name
            promised = PROMISED if method is None else None
            if method is not None and is_budgeted(method.name):  # the budget of a window is for its own rows
                promised = PROMISED * DIFFERING * probability
            shown = f"{DIFFERING * probability:.2%} of rows".replace("%", " %")
            lines.append([name, shown, promise_text(promised), *line(method, probability, size)])
    return markdown_table(lines)
