"""Samples and events reach the bus without blocking the request path; dropped samples are counted."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.support.wired_samples import split_samples
from tightrope.monitors.records import Event, Role, Sample
from tightrope.service import outbox as module
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.topics import EVENTS, SAMPLES, topic
from tightrope.service.adapters.wire.record_codec import decode_event, decode_samples
from tightrope.service.outbox import MAX_RECORD_ROWS, MAX_RECORD_SAMPLES, Outbox

SOON = 5.0


def sample(number: int = 0, *, model: str = "m", digest: str = "b", rows: int = 1, width: int = 2) -> Sample:
    """A sample."""
    return Sample(
        model=model,
        request_id=str(number),
        time=float(number),
        served_by=Role.COMPRESSED,
        baseline_digest=digest,
        compressed_digest="c",
        inputs={"x": np.zeros((rows, width), np.float32)},
        outputs={"p": np.full((rows, 2), 0.5, np.float32)},
        scopes=("a=b",),
        member=np.zeros((rows, 1), dtype=bool),
        draw=0.25,
        inclusion=1.0,
        seconds=0.01,
    )


def event(number: int) -> Event:
    """An event."""
    return Event(str(number), float(number), "m", "model-failed", "model", "gateway", "why")


class OutboxHarness:
    """An outbox with its bus, and the counts of dropped samples."""

    def __init__(self, capacity: int = 1 << 28, limit: int = 100_000) -> None:
        self.bus = MemoryBus(capacity)
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.outbox = Outbox(self.bus, self.drop, limit)
        self.samples = self.bus.subscribe(topic(SAMPLES), group="g")
        self.events = self.bus.subscribe(topic(EVENTS))

    def drop(self, model: str, reason: str, samples: int = 1) -> None:
        """Count dropped samples."""
        self.dropped[model, reason] += samples

    def published(self, timeout: float = 0.0) -> list[list[Sample]]:
        """The records of samples since the last call."""
        records = self.samples.poll(10_000, timeout)
        self.samples.commit()
        return [list(split_samples(decode_samples(record.value))) for record in records]


@pytest.fixture
def harness() -> Iterator[OutboxHarness]:
    """An outbox that is not started yet; stopped after the test."""
    created = OutboxHarness()
    yield created
    if created.outbox._thread.is_alive():
        created.outbox.stop(SOON)


def test_samples_share_a_record(harness: OutboxHarness) -> None:
    """Samples offered within LINGER_SECONDS are one record, in order."""
    for number in range(20):
        assert harness.outbox.offer(sample(number))
    harness.outbox.start()
    (record,) = harness.published(SOON)
    assert [one.request_id for one in record] == [str(number) for number in range(20)]


def test_record_has_a_maximum_of_samples(harness: OutboxHarness) -> None:
    """Further samples are in the next record."""
    for number in range(2 * MAX_RECORD_SAMPLES + 1):
        harness.outbox.offer(sample(number))
    harness.outbox.start()
    assert harness.outbox.stop(SOON)
    assert [len(record) for record in harness.published()] == [MAX_RECORD_SAMPLES, MAX_RECORD_SAMPLES, 1]


def test_record_is_closed_when_it_is_large(harness: OutboxHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the bytes of its tensors: a record must fit the topic."""
    monkeypatch.setattr(module, "RECORD_TARGET_BYTES", 10_000)
    for number in range(4):
        harness.outbox.offer(sample(number, width=2000))
    harness.outbox.start()
    assert harness.outbox.stop(SOON)
    assert [len(record) for record in harness.published()] == [2, 2]


def test_record_is_closed_when_it_has_many_rows(harness: OutboxHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large comparison would delay all others."""
    monkeypatch.setattr(module, "MAX_RECORD_ROWS", 10)
    for number in range(6):
        harness.outbox.offer(sample(number, rows=4))
    harness.outbox.start()
    assert harness.outbox.stop(SOON)
    assert [len(record) for record in harness.published()] == [3, 3]


def test_each_pair_of_artefacts_has_its_record(harness: OutboxHarness) -> None:
    """All samples of a record have the same model, digests and scopes."""
    mixed = [sample(1), sample(2, model="n"), sample(3, digest="z"), replace(sample(4), scopes=("c=d",)), sample(5)]
    for one in mixed:
        harness.outbox.offer(one)
    harness.outbox.start()
    assert harness.outbox.stop(SOON)
    assert [[one.request_id for one in record] for record in harness.published()] == [["1", "5"], ["2"], ["3"], ["4"]]


def test_samples_beyond_the_limit_are_dropped_and_counted() -> None:
    """The limit holds for all models together; events are never dropped."""
    harness = OutboxHarness(limit=3)
    assert [harness.outbox.offer(sample(number)) for number in range(4)] == [True, True, True, False]
    assert not harness.outbox.offer(sample(model="n"))
    harness.outbox.add_event(event(1))
    assert harness.dropped == {("m", "buffer_full"): 1, ("n", "buffer_full"): 1}
    harness.outbox.start()
    assert harness.outbox.stop(SOON)
    assert [len(record) for record in harness.published()] == [3]
    assert len(harness.events.poll(10, 0.0)) == 1


def test_samples_beyond_the_byte_limit_are_dropped(harness: OutboxHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Published samples free their bytes."""
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 100_000)
    assert [harness.outbox.offer(sample(width=10_000)) for _ in range(4)] == [True, True, False, False]
    harness.outbox.start()
    assert eventually_offers(harness, sample(width=10_000))


def eventually_offers(harness: OutboxHarness, one: Sample) -> bool:
    """Whether a sample is accepted soon."""
    deadline = time.monotonic() + SOON
    while not (kept := harness.outbox.offer(one)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return kept


def test_strings_count_with_their_length(harness: OutboxHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array of strings uses more memory than its pointers."""
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 100_000)
    texts = replace(sample(), inputs={"x": np.array([["t" * 60_000]], object)})
    assert [harness.outbox.offer(texts) for _ in range(2)] == [True, False]


def test_request_with_too_many_rows_is_dropped(harness: OutboxHarness) -> None:
    """It would delay all other comparisons; it is counted."""
    assert not harness.outbox.offer(replace(sample(), member=np.zeros((MAX_RECORD_ROWS + 1, 0), dtype=bool)))
    assert harness.dropped == {("m", "too_many_rows"): 1}


def test_offer_never_waits_for_a_full_bus() -> None:
    """The publisher waits, the buffer fills and samples are dropped; all accepted samples arrive in the end."""
    harness = OutboxHarness(capacity=1000, limit=50)
    harness.outbox.start()
    slowest = 0.0
    kept = 0
    for number in range(500):
        began = time.perf_counter()
        kept += harness.outbox.offer(sample(number))
        slowest = max(slowest, time.perf_counter() - began)
        time.sleep(0.0005)
    assert slowest < 1.0
    assert harness.dropped["m", "buffer_full"] == 500 - kept > 0

    arrived = 0
    while arrived < kept and (records := harness.published(SOON)):
        arrived += sum(map(len, records))
    assert arrived == kept
    assert harness.outbox.stop(SOON)


def test_record_larger_than_the_bus_does_not_stop_the_outbox() -> None:
    """A single large request must not stop the publishing."""
    harness = OutboxHarness(capacity=1000)
    harness.outbox.start()
    for number in range(3):
        harness.outbox.offer(sample(number, width=1000))
        assert [one.request_id for record in harness.published(SOON) for one in record] == [str(number)]
    assert harness.outbox.stop(SOON)


def test_stop_publishes_the_buffer(harness: OutboxHarness) -> None:
    """Both samples and events; it returns whether it succeeded."""
    harness.outbox.start()
    for number in range(1000):
        harness.outbox.offer(sample(number))
        harness.outbox.add_event(event(number))
    assert harness.outbox.stop(SOON)
    assert [one.request_id for record in harness.published() for one in record] == [str(n) for n in range(1000)]
    ids = [decode_event(record.value).id for record in harness.events.poll(10_000, 0.0)]
    assert ids == [str(n) for n in range(1000)]


def test_stop_gives_up_on_a_bus_that_stays_full() -> None:
    """A gateway must stop even if no reader makes room."""
    harness = OutboxHarness(capacity=100)
    harness.bus.publish(topic(SAMPLES), b"x" * 100)
    harness.outbox.start()
    harness.outbox.offer(sample())
    began = time.monotonic()
    assert harness.outbox.stop(SOON)
    assert time.monotonic() - began < SOON


def test_offers_from_many_threads_all_arrive(harness: OutboxHarness) -> None:
    """Slow models run in threads, fast ones on the event loop."""
    harness.outbox.start()

    def offer(first: int) -> None:
        for number in range(first, first + 500):
            assert harness.outbox.offer(sample(number))

    threads = [threading.Thread(target=offer, args=[first]) for first in range(0, 2000, 500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert harness.outbox.stop(SOON)
    assert sorted(int(one.request_id) for record in harness.published() for one in record) == list(range(2000))
    assert harness.outbox._bytes == 0


def test_drawn_samples_are_counted_also_when_they_are_dropped() -> None:
    """Samples that find no room, and such with too many rows, were chosen to be judged and never will be."""
    full = OutboxHarness(limit=1)
    assert [full.outbox.offer(sample(number)) for number in range(3)] == [1, 0, 0]
    assert full.outbox.offer(sample(rows=MAX_RECORD_ROWS + 1)) == 0
    assert full.outbox.drawn == {"m": 4}


def test_event_is_reported_when_it_is_added() -> None:
    """The log needs no bus: it tells the event although the bus takes nothing."""
    reported: list[Event] = []
    Outbox(MemoryBus(1), lambda *_: None, on_event=reported.append).add_event(event(1))
    assert reported == [event(1)]
