"""A judge of a model with labels, and a schedule of rows and labels for it: for tests of late labels."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from tests.support.judgement.comparisons import RowSource, make_plan
from tests.support.judgement.judge_harness import JudgeHarness
from tightrope.monitors.label_records import Label
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Comparisons
from tightrope.monitors.safemode import Policy
from tightrope.service.adapters.topics import LABELS, topic
from tightrope.service.adapters.wire import record_codec

NOW = 1e6
"""The judge's clock, in seconds since the epoch; rows and labels are from the hours before."""

HORIZON = 1e5


def labelled(**changes: object) -> Plan:
    """A plan with disagreement and accuracy, small ticks, a small alarm budget and a label horizon of `HORIZON`
    seconds.
    """
    return make_plan(
        "disagreement",
        "accuracy",
        **{
            "samples": 1e3,
            "policy": Policy(min_dwell=100.0, recovery_samples=10.0),
            "tick_rows": 16,
            "label_horizon": HORIZON,
        }
        | changes,
    )


def batches(n: int, *, rows: int = 10, begin: float = NOW - 5000) -> list[Comparisons]:
    """Sound rows; the two models decide for different classes in each fifth row."""
    traffic = RowSource(time=begin)
    return [
        traffic.rows(rows, top_compressed=np.arange(rows) % 5 == 0, confidence_baseline=0.9, confidence_compressed=0.8)
        for _ in range(n)
    ]


def truths(batch: Comparisons, truth: int = 0, time: float = NOW) -> list[Label]:
    """The labels of all rows of a batch: class 0, as the baseline decides."""
    return [Label("m", name, 0, truth, time) for name in batch.request_id]


def publish_labels(harness: JudgeHarness, labels: Sequence[Label]) -> None:
    """Publish labels as the gateway does."""
    harness.bus.publish(topic(LABELS), record_codec.encode_labels(labels), "m")


def schedule(harness: JudgeHarness) -> Iterator[Callable[[], None]]:
    """Steps that publish rows and labels: early, late, repeated, out of order, unknown, of another artefact,
    redelivered.
    """
    rows = batches(24)
    unknown = [Label("m", "nobody", n, 0, NOW) for n in range(3)]

    def redeliver() -> None:
        """Publish rows again, as by a worker that died before its commit, and labels again."""
        harness.publish(rows[3].join(rows[4]), rows[5])
        publish_labels(harness, [*truths(rows[4]), *truths(rows[2], truth=1)])

    def rows_then_labels() -> None:
        """Publish rows, each followed by its labels."""
        for one in rows[6:20]:
            harness.publish(one)
            publish_labels(harness, truths(one))

    def labels_then_rows() -> None:
        """Publish labels that favour the compressed model, each followed by its rows."""
        for one in rows[20:]:
            publish_labels(harness, truths(one, truth=1))
            harness.publish(one)

    stale = replace(batches(30)[29], compressed_digest="c0")
    yield lambda: publish_labels(harness, [*truths(rows[1])[::-1], *truths(rows[0])[:5]])
    yield lambda: harness.publish(*rows[:4])
    yield lambda: publish_labels(harness, [*truths(rows[0]), *truths(rows[2]), *truths(rows[2])[:3]])
    yield lambda: harness.publish(*rows[4:6])
    yield redeliver
    yield lambda: publish_labels(harness, unknown)
    yield lambda: harness.publish(stale)
    yield lambda: publish_labels(harness, truths(stale))
    yield rows_then_labels
    yield labels_then_rows
