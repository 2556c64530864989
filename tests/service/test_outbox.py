"""Samples and events reach the bus without the request path ever waiting; what cannot be kept is counted."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.support.wired_samples import apart
from tightrope.monitors.records import Event, Role, Sample
from tightrope.service import outbox as module
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.topics import EVENTS, SAMPLES, topic
from tightrope.service.adapters.wire.record_codec import decode_event, decode_samples
from tightrope.service.outbox import BATCH, MOST_ROWS, Outbox

SOON = 5.0


def sample(number: int = 0, *, model: str = "m", digest: str = "b", rows: int = 1, width: int = 2) -> Sample:
    """One sample of a pair."""
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
    """One event."""
    return Event(str(number), float(number), "m", "model-failed", "model", "gateway", "why")


class Post:
    """An outbox with its bus, and what was dropped."""

    def __init__(self, capacity: int = 1 << 28, limit: int = 100_000) -> None:
        self.bus = MemoryBus(capacity)
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.outbox = Outbox(self.bus, self.drop, limit)
        self.samples = self.bus.subscribe(topic(SAMPLES), group="g")
        self.events = self.bus.subscribe(topic(EVENTS))

    def drop(self, model: str, reason: str, samples: int = 1) -> None:
        """Count so many."""
        self.dropped[model, reason] += samples

    def published(self, patience: float = 0.0) -> list[list[Sample]]:
        """Records of samples that have arrived since the last look."""
        records = self.samples.poll(10_000, patience)
        self.samples.commit()
        return [list(apart(decode_samples(record.value))) for record in records]


@pytest.fixture
def post() -> Iterator[Post]:
    """An outbox of which the test starts the thread, if it wants it; stopped at the end."""
    made = Post()
    yield made
    if made.outbox._thread.is_alive():
        made.outbox.stop(SOON)


def test_several_samples_travel_in_one_record(post: Post) -> None:
    """What came in within the linger is one record, in its order."""
    for number in range(20):
        assert post.outbox.offer(sample(number))
    post.outbox.start()
    (record,) = post.published(SOON)
    assert [one.request_id for one in record] == [str(number) for number in range(20)]


def test_record_has_at_most_a_batch_of_samples(post: Post) -> None:
    """However many wait."""
    for number in range(2 * BATCH + 1):
        post.outbox.offer(sample(number))
    post.outbox.start()
    assert post.outbox.stop(SOON)
    assert [len(record) for record in post.published()] == [BATCH, BATCH, 1]


def test_record_is_closed_when_it_is_large(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """By bytes and by rows: a record must fit what a topic may hold, and be compared in one go."""
    monkeypatch.setattr(module, "BATCH_BYTES", 10_000)
    for number in range(4):
        post.outbox.offer(sample(number, width=2000))
    post.outbox.start()
    assert post.outbox.stop(SOON)
    assert [len(record) for record in post.published()] == [2, 2]


def test_record_is_closed_when_it_has_many_rows(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing more at once would hold up everybody else."""
    monkeypatch.setattr(module, "MOST_ROWS", 10)
    for number in range(6):
        post.outbox.offer(sample(number, rows=4))
    post.outbox.start()
    assert post.outbox.stop(SOON)
    assert [len(record) for record in post.published()] == [3, 3]


def test_each_pair_of_artefacts_has_its_record(post: Post) -> None:
    """A worker counts one record for one pair: models, digests and scopes are never mixed."""
    mixed = [sample(1), sample(2, model="n"), sample(3, digest="z"), replace(sample(4), scopes=("c=d",)), sample(5)]
    for one in mixed:
        post.outbox.offer(one)
    post.outbox.start()
    assert post.outbox.stop(SOON)
    assert [[one.request_id for one in record] for record in post.published()] == [["1", "5"], ["2"], ["3"], ["4"]]


def test_offer_drops_and_counts_what_there_is_no_room_for() -> None:
    """By number, whoever the sample is of; events are never dropped for samples' sake."""
    post = Post(limit=3)
    assert [post.outbox.offer(sample(number)) for number in range(4)] == [True, True, True, False]
    assert not post.outbox.offer(sample(model="n"))
    post.outbox.note(event(1))
    assert post.dropped == {("m", "buffer_full"): 1, ("n", "buffer_full"): 1}
    post.outbox.start()
    assert post.outbox.stop(SOON)
    assert [len(record) for record in post.published()] == [3]
    assert len(post.events.poll(10, 0.0)) == 1


def test_offer_drops_what_would_fill_the_memory(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """By bytes; when they are published there is room again."""
    monkeypatch.setattr(module, "MOST_BYTES", 100_000)
    assert [post.outbox.offer(sample(width=10_000)) for _ in range(4)] == [True, True, False, False]
    post.outbox.start()
    assert eventually_offers(post, sample(width=10_000))


def eventually_offers(post: Post, one: Sample) -> bool:
    """Whether there is room for a sample soon."""
    deadline = time.monotonic() + SOON
    while not (kept := post.outbox.offer(one)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return kept


def test_strings_count_by_their_length(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array of strings holds more than its pointers."""
    monkeypatch.setattr(module, "MOST_BYTES", 100_000)
    texts = replace(sample(), inputs={"x": np.array([["t" * 60_000]], object)})
    assert [post.outbox.offer(texts) for _ in range(2)] == [True, False]


def test_request_of_too_many_rows_is_not_kept(post: Post) -> None:
    """It would hold up everybody else's comparisons; the counter says so."""
    assert not post.outbox.offer(replace(sample(), member=np.zeros((MOST_ROWS + 1, 0), dtype=bool)))
    assert post.dropped == {("m", "too_many_rows"): 1}


def test_offering_never_waits_for_a_full_bus() -> None:
    """The publisher waits, the buffer fills, the rest is dropped: and all that was kept arrives when there is room."""
    post = Post(capacity=1000, limit=50)
    post.outbox.start()
    slowest = 0.0
    kept = 0
    for number in range(500):
        began = time.perf_counter()
        kept += post.outbox.offer(sample(number))
        slowest = max(slowest, time.perf_counter() - began)
        time.sleep(0.0005)
    assert slowest < 1.0
    assert post.dropped["m", "buffer_full"] == 500 - kept > 0

    arrived = 0
    while arrived < kept and (records := post.published(SOON)):
        arrived += sum(map(len, records))
    assert arrived == kept
    assert post.outbox.stop(SOON)


def test_record_larger_than_the_bus_does_not_stop_the_outbox() -> None:
    """One request may not blind the shadow for good."""
    post = Post(capacity=1000)
    post.outbox.start()
    for number in range(3):
        post.outbox.offer(sample(number, width=1000))
        assert [one.request_id for record in post.published(SOON) for one in record] == [str(number)]
    assert post.outbox.stop(SOON)


def test_stop_publishes_what_waits(post: Post) -> None:
    """Samples and events both; it says whether it got through."""
    post.outbox.start()
    for number in range(1000):
        post.outbox.offer(sample(number))
        post.outbox.note(event(number))
    assert post.outbox.stop(SOON)
    assert [one.request_id for record in post.published() for one in record] == [str(n) for n in range(1000)]
    told = [decode_event(record.value).id for record in post.events.poll(10_000, 0.0)]
    assert told == [str(n) for n in range(1000)]


def test_stop_gives_up_on_a_bus_that_stays_full() -> None:
    """A stopping gateway does not hang because nobody reads."""
    post = Post(capacity=100)
    post.bus.publish(topic(SAMPLES), b"x" * 100)
    post.outbox.start()
    post.outbox.offer(sample())
    began = time.monotonic()
    assert post.outbox.stop(SOON)
    assert time.monotonic() - began < SOON


def test_offers_from_many_threads_all_arrive(post: Post) -> None:
    """Slow models answer in threads, fast ones on the event loop."""
    post.outbox.start()

    def offer(first: int) -> None:
        for number in range(first, first + 500):
            assert post.outbox.offer(sample(number))

    threads = [threading.Thread(target=offer, args=[first]) for first in range(0, 2000, 500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert post.outbox.stop(SOON)
    assert sorted(int(one.request_id) for record in post.published() for one in record) == list(range(2000))
    assert post.outbox._bytes == 0
