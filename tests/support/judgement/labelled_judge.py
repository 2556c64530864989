"""A judge of a model with labels, and the story that is told to it: for tests of late truth."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from tests.support.judgement.comparisons import Traffic, plan
from tests.support.judgement.judge_harness import Court
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Comparisons, Label
from tightrope.monitors.safemode import Policy
from tightrope.service.adapters.topics import LABELS, topic
from tightrope.service.adapters.wire import record_codec

NOW = 1e6
"""The time on the judge's clock; rows and labels are of the hours before."""

HORIZON = 1e5


def labelled(**changes: object) -> Plan:
    """Disagreement and accuracy, small ticks, a budget that is soon spent; labels for a day."""
    return plan(
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
    """Sound rows whose two models say different classes in every fifth row."""
    traffic = Traffic(time=begin)
    return [
        traffic.rows(rows, top_compressed=np.arange(rows) % 5 == 0, confidence_baseline=0.9, confidence_compressed=0.8)
        for _ in range(n)
    ]


def truths(batch: Comparisons, truth: int = 0, time: float = NOW) -> list[Label]:
    """The truth of every row of a batch: class 0, as the baseline says."""
    return [Label("m", name, 0, truth, time) for name in batch.request_id]


def tell(court: Court, labels: Sequence[Label]) -> None:
    """Labels, as the gateway publishes them."""
    court.bus.publish(topic(LABELS), record_codec.encode_labels(labels), "m")


def schedule(court: Court) -> Iterator[Callable[[], None]]:
    """Portions of rows and labels: early, late, twice, out of order, of nobody, of another artefact, redelivered."""
    rows = batches(24)
    nobody = [Label("m", "nobody", n, 0, NOW) for n in range(3)]

    def again() -> None:
        """A worker died before it committed; labels that were told are told again."""
        court.publish(rows[3].join(rows[4]), rows[5])
        tell(court, [*truths(rows[4]), *truths(rows[2], truth=1)])

    def hand_in_hand() -> None:
        """Rows, and right after them their labels."""
        for one in rows[6:20]:
            court.publish(one)
            tell(court, truths(one))

    def labels_first() -> None:
        """The truth, and right after it the rows: it was the compressed model's."""
        for one in rows[20:]:
            tell(court, truths(one, truth=1))
            court.publish(one)

    stale = replace(batches(30)[29], compressed_digest="c0")
    yield lambda: tell(court, [*truths(rows[1])[::-1], *truths(rows[0])[:5]])
    yield lambda: court.publish(*rows[:4])
    yield lambda: tell(court, [*truths(rows[0]), *truths(rows[2]), *truths(rows[2])[:3]])
    yield lambda: court.publish(*rows[4:6])
    yield again
    yield lambda: tell(court, nobody)
    yield lambda: court.publish(stale)
    yield lambda: tell(court, truths(stale))
    yield hand_in_hand
    yield labels_first
