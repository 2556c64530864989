"""Samples that share a record, and records that are too large."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.service.test_outbox import SOON, OutboxHarness, sample
from tests.support.serving.service_harness import eventually
from tightrope.service import outbox as module
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import RecordTooLargeError
from tightrope.service.adapters.topics import COMPARISONS, SAMPLES, topic
from tightrope.service.adapters.wire.record_codec import decode_samples, decode_traffic
from tightrope.service.outbox import Outbox


def test_tensors_that_cannot_be_concatenated_have_separate_records() -> None:
    """Other row shapes, another datatype, or strings; all arrive in order."""
    harness = OutboxHarness()
    words = np.array([["ü", ""]], object)
    mixed = [
        sample(1),
        sample(2, width=3),
        sample(3, rows=4),
        replace(sample(4), inputs={"x": np.zeros((1, 2), np.float64)}),
        replace(sample(5), inputs={"x": words}),
        replace(sample(6), outputs={"p": np.zeros((1, 3), np.float32)}),
        replace(sample(7), inputs={"x": words[:, ::-1]}),
        sample(8, width=3),
    ]
    for one in mixed:
        harness.outbox.offer(one)
    harness.outbox.start()
    assert harness.outbox.stop(SOON)
    records = harness.published()
    assert [[one.request_id for one in record] for record in records] == [
        ["1", "3"],
        ["2", "8"],
        ["4"],
        ["5", "7"],
        ["6"],
    ]
    assert [one.inputs["x"].tolist() for one in records[3]] == [[["ü", ""]], [["", "ü"]]]
    assert [one.inputs["x"].shape for one in records[0]] == [(1, 2), (4, 2)]


class LimitedBus(MemoryBus):
    """A bus that refuses records of more than ``max_bytes``."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self.max_bytes = max_bytes

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Refuse a record that is too large."""
        if len(value) > self.max_bytes:
            raise RecordTooLargeError(f"{len(value)} bytes")
        super().publish(topic, value, key)


def test_record_too_large_for_the_bus_is_split() -> None:
    """Into single samples; one that is too large by itself is dropped and counted, the others are published."""
    dropped: Counter[tuple[str, str]] = Counter()
    bus = LimitedBus(10_000)
    outbox = Outbox(bus, lambda model, reason: dropped.update([(model, reason)]))
    for number in range(5):
        outbox.offer(sample(number, width=4000 if number == 2 else 1000))
    outbox.start()
    assert outbox.stop(SOON)
    ids = [name for r in bus.subscribe(topic(SAMPLES)).poll(100, 0.0) for name in decode_samples(r.value).request_id]
    assert ids == ["0", "1", "3", "4"]
    assert dropped == {("m", "too_large"): 1}


def test_traffic_note_names_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge of another plan must not wait for rows that it refuses."""
    monkeypatch.setattr(module, "TRAFFIC_SECONDS", 0.0)
    bus = MemoryBus()
    outbox = Outbox(bus, lambda *_: None, plan_of={"m": "5e"}.get)
    outbox.start()
    for model in ("m", "n"):
        outbox.offer(sample(model=model))
    notes = bus.subscribe(topic(COMPARISONS))
    eventually(lambda: notes.lag() == 2)
    assert outbox.stop(10.0)
    decoded = [decode_traffic(record.value) for record in notes.poll(10, 0.0)]
    assert {note.model: note.plan for note in decoded} == {"m": "5e", "n": ""}
