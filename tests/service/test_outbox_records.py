"""Which samples share a record, and what becomes of records that are too large."""

from collections import Counter
from dataclasses import replace

import numpy as np

from tests.service.test_outbox import SOON, Post, sample
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import RecordTooLargeError
from tightrope.service.adapters.topics import SAMPLES, topic
from tightrope.service.adapters.wire.record_codec import decode_samples
from tightrope.service.outbox import Outbox


def test_tensors_that_do_not_lie_one_below_the_other_have_records_of_their_own() -> None:
    """Other sides but the rows, another datatype, strings among numbers: all of them arrive, in their order."""
    post = Post()
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
        post.outbox.offer(one)
    post.outbox.start()
    assert post.outbox.stop(SOON)
    found = post.published()
    assert [[one.request_id for one in record] for record in found] == [
        ["1", "3"],
        ["2", "8"],
        ["4"],
        ["5", "7"],
        ["6"],
    ]
    assert [one.inputs["x"].tolist() for one in found[3]] == [[["ü", ""]], [["", "ü"]]]
    assert [one.inputs["x"].shape for one in found[0]] == [(1, 2), (4, 2)]


class Narrow(MemoryBus):
    """A bus that takes no record of more than so many bytes."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Refuse what is too large, for good."""
        if len(value) > self.most:
            raise RecordTooLargeError(f"{len(value)} bytes")
        super().publish(topic, value, key)


def test_record_that_is_too_large_for_the_bus_is_divided() -> None:
    """Sample by sample; one that is too large alone is dropped and counted, and costs nobody else anything."""
    dropped: Counter[tuple[str, str]] = Counter()
    bus = Narrow(10_000)
    outbox = Outbox(bus, lambda model, reason: dropped.update([(model, reason)]))
    for number in range(5):
        outbox.offer(sample(number, width=4000 if number == 2 else 1000))
    outbox.start()
    assert outbox.stop(SOON)
    ids = [name for r in bus.subscribe(topic(SAMPLES)).poll(100, 0.0) for name in decode_samples(r.value).request_id]
    assert ids == ["0", "1", "3", "4"]
    assert dropped == {("m", "too_large"): 1}
