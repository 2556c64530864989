"""Labels that reviewers give and no others: false alarms of the monitors of labels, each at its limit.

Rows are drawn for review as a model with `labels` and `review` draws them: a share of the disagreements and a smaller
one of all rows. A reviewer says which of both answers is right, and sometimes that it cannot be told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.situations.lines import Size
from benchmarks.whole_fold import held
from benchmarks.written_parts import markdown_table
from tightrope.monitors import watch
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.definitions.label_monitors import LABEL_MONITORS
from tightrope.monitors.label_join import count_agreed, is_usable, labelled_comparisons, rows_awaiting_labels
from tightrope.monitors.label_records import Label, PendingRow
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import MODEL_SCOPE, Bools, Comparisons, Floats, Stream
from tightrope.monitors.review.opinions import Opinion, true_class
from tightrope.monitors.safemode import Input
from tightrope.monitors.veto.drawing import LabelDraw

SIZES = (Size(8, 65_536, 0, 0), Size(1, 8_192, 0, 0))
"""The sizes of a full measurement and of a quick one."""

SAMPLES_PER_FALSE_ALARM, BATCH = 1e3, 512
DRAW = LabelDraw(disagreements=0.2, random=0.02)
SHARE = sum(monitor.share for monitor in LABEL_MONITORS)
DIFFERING, RIGHT = 1 / 30, 0.65
"""The share of rows that differ, and of these that in which the baseline is right: accuracy and excess risk are at
their limits, .01 and .3.
"""

ACCURATE, CONFIDENT, DOUBT = 0.9, 0.9, 0.0667
"""The share of the other rows in which both are right, the baseline's confidence, and how much smaller the compressed
model's is: Brier and calibration are at their limits, .01 and .05.
"""


@dataclass(frozen=True)
class Answers:
    """Rows (n,): whether they differ, the true class, 0 or 1, and the draw. The baseline says 0."""

    disagree: Bools
    truth: Bools
    draw: Floats

    @classmethod
    def draw_rows(cls, seed: int, n: int) -> "Answers":
        """Draw independent rows at the limits."""
        rng = np.random.default_rng(seed)
        disagree = rng.random(n) < DIFFERING
        return cls(disagree, rng.random(n) >= np.where(disagree, RIGHT, ACCURATE), rng.random(n))

    def compared(self) -> Comparisons:
        """The rows as comparisons."""
        n = len(self.disagree)
        return Comparisons.from_columns(
            n, model="m", baseline_digest="b", compressed_digest="c", log="log", offset=np.arange(n),
            time=np.arange(n) / 10, draw=self.draw, request_id=tuple(map(str, range(n))), disagree=self.disagree,
            top_baseline=0, top_compressed=self.disagree.astype(int), confidence_baseline=CONFIDENT,
            confidence_compressed=CONFIDENT - DOUBT,
        )  # fmt: skip


Reviewer = Callable[[PendingRow, int, np.random.Generator], Opinion]
"""Says which answer is right, A the baseline's and B the compressed model's, by the true class."""


def certain(row: PendingRow, truth: int, _: np.random.Generator) -> Opinion:
    """The opinion of a reviewer who knows the true class."""
    if row.top_baseline == row.top_compressed:
        return Opinion.A if truth == row.top_baseline else Opinion.NEITHER
    return Opinion.A if truth == row.top_baseline else Opinion.B


def unsure(share: float, *, only: Opinion | None = None) -> Reviewer:
    """A reviewer who cannot tell a share of the rows, or of those of one opinion."""

    def opinion(row: PendingRow, truth: int, rng: np.random.Generator) -> Opinion:
        own = certain(row, truth, rng)
        return Opinion.UNKNOWN if only in {None, own} and rng.random() < share else own

    return opinion


REVIEWERS: Mapping[str, Reviewer] = {
    "knows the true class": certain,
    "cannot tell one row in five": unsure(0.2),
    "cannot tell half of the rows in which the compressed model alone is right": unsure(0.5, only=Opinion.B),
}


def build_plan() -> Plan:
    """The plan of a classifier without subgroups whose monitors are those of labels."""
    specs = []
    for monitor in LABEL_MONITORS:
        spec = MonitorSpec(CATALOGUE[monitor.name], monitor.variants(2), np.array([monitor.limit]))
        specs.append(replace(spec, bound=1 / DRAW.least) if monitor.zeros else spec)
    plan = Plan(
        "m", "b", "c", (MODEL_SCOPE,), np.ones(1), build_rules(specs, 0.75), Budget(SAMPLES_PER_FALSE_ALARM)
    )  # fmt: skip
    return replace(plan, label_horizon=1e9, label_draw=DRAW, digest="reviewed labels")


def review_batch(
    plan: Plan, state: State, rows: Comparisons, answers: Answers, reviewer: Reviewer, rng: np.random.Generator
) -> tuple[State, int, int]:
    """Fold a batch and what reviewers say of its drawn rows; returns the false alarms and the labels."""
    agreed, rest = count_agreed(plan, state.veto.agreed, rows, state.is_new(rows))
    waiting = [*rows_awaiting_labels(plan, rows, agreed)]
    state, _ = watch.step(plan, state, rows)
    state = replace(state, veto=replace(state.veto, agreed=rest))
    pairs = []
    for row in waiting:
        opinion = reviewer(row, int(answers.truth[int(row.request_id)]), rng)
        label = true_class(opinion, row.top_baseline, row.top_compressed, classes=2)
        if label is None:
            continue
        probability = DRAW.most if row.disagree else DRAW.random
        given = Label("m", row.request_id, row.row, label, row.time, "review:1", probability)
        if is_usable(plan, row, given):
            pairs.append((row, given))
    if not pairs:
        return state, 0, 0
    state, transitions = watch.step(plan, state, labelled_comparisons(plan, state.log, pairs), Stream.LABELS)
    return state, sum(each.trigger is Input.BREACH for each in transitions), len(pairs)


def false_alarms(reviewer: Reviewer, seed: int, n: int) -> tuple[int, int]:
    """The false alarms in n rows at the limits, and the labels."""
    plan, answers, rng = build_plan(), Answers.draw_rows(seed, n), np.random.default_rng([seed, 1])
    rows, state, alarms, labels = answers.compared(), held(plan, initial_state(plan)), 0, 0
    for begin in range(0, n, BATCH):
        batch = rows.take(slice(begin, begin + BATCH))
        state, more, given = review_batch(plan, state, batch, answers, reviewer, rng)
        alarms, labels = alarms + more, labels + given
        state = held(plan, state)
    return alarms, labels


def table(size: Size) -> str:
    """The table of reviewers, in Markdown."""
    lines = [["the reviewer", "labels", "false alarms promised, at most", "raised"]]
    for name, reviewer in REVIEWERS.items():
        found = [false_alarms(reviewer, seed, size.quiet_rows) for seed in range(size.quiet_runs)]
        rows = size.quiet_runs * size.quiet_rows
        promised = SHARE * rows / SAMPLES_PER_FALSE_ALARM
        lines.append(
            [name, f"{sum(each[1] for each in found):,}", f"{promised:.0f}", str(sum(each[0] for each in found))]
        )
    return markdown_table(lines)
