from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import msgpack

from tests.support.samples import WorkerHarness, sample, watched
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.records import Order, Sample
from tightrope.service.adapters import dead_letters
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import RecordTooLargeError
from tightrope.service.adapters.topics import SAMPLES, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WIRE_VERSION

ROWS = [[0.5, 1.0], [1.0, 0.25]]
STRANGE = b"\xc1 this is no record"


@pytest.fixture
def shop(tmp_path: Path) -> WorkerHarness:
    """Provide one pair of models, watched as ``m``."""
    return WorkerHarness({"m": watched(tmp_path)})


def _with(**changes: object) -> Callable[[Sample], bytes]:
    return lambda good: _encoded(replace(good, **changes))  # type: ignore[arg-type]


def _encoded(*samples: Sample) -> bytes:
    return record_codec.encode_samples(SampleBatch.from_samples(samples))


def _claimed(**changes: object) -> Callable[[Sample], bytes]:
    """Encode a sample, and change fields of the encoded body."""

    def lie(good: Sample) -> bytes:
        envelope = msgpack.decode(_encoded(good))
        envelope["body"].update(changes)
        return msgpack.encode(envelope)

    return lie


def _said(output: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Callable[[Sample], bytes]:
    return _with(outputs={"probabilities": output})


POISON: dict[str, tuple[Callable[[Sample], bytes], str]] = {
    "garbage": (lambda _: STRANGE, "not a record"),
    "nothing": (lambda _: b"", "not a record"),
    "no envelope": (lambda _: msgpack.encode(["a", "b"]), "must be a map"),
    "truncated": (lambda good: _encoded(good)[:-9], "not a record"),
    "a version to come": (
        lambda _: msgpack.encode({"schema": record_codec.SAMPLES_SCHEMA, "version": WIRE_VERSION + 1, "body": []}),
        f"version: '{WIRE_VERSION + 1}'; this reader knows",
    ),
    "another record": (
        lambda _: record_codec.encode_order(Order("1", 0.0, "m", "model", "release", "me", "why")),
        "schema",
    ),
    "another model": (_with(model="nobody"), "model: 'nobody' is not watched here"),
    "another input": (_with(inputs={"pixels": np.zeros((2, 2), np.float32)}), "inputs: ['pixels']"),
    "no input": (_with(inputs={}), "inputs: []"),
    "no output": (_with(outputs={"other": np.zeros((2, 3), np.float32)}), "probabilities"),
    "too many rows": (_with(inputs={"input": np.zeros((3, 2), np.float32)}), "inputs.input: shape (3, 2) where 2 rows"),
    "a scalar": (_with(inputs={"input": np.array(1.0, np.float32)}), "inputs.input: shape () where 2 rows"),
    "a tensor that lies about its size": (
        _claimed(inputs={"input": {"dtype": "<f4", "shape": [2, 2], "data": bytes(12)}}),
        "inputs.input: 12 bytes cannot be <f4 of shape [2, 2]",
    ),
    "rows that do not add up": (
        _claimed(rows={"dtype": "<i8", "shape": [1], "data": bytes([3] + [0] * 7)}),
        "rows: 3 together, the least 3, where 2 should be",
    ),
    "negative rows": (
        lambda good: record_codec.encode_samples(
            replace(SampleBatch.from_samples([good, good]), rows=np.array([5, -1]))
        ),
        "rows: 4 together, the least -1, where 4 should be",
    ),
    "rows that overflow": (
        lambda good: record_codec.encode_samples(
            replace(SampleBatch.from_samples([good] * 5), rows=np.array([2**62] * 4 + [10]))
        ),
        f"rows: {2**64 + 10} together",
    ),
    "no samples at all": (
        lambda good: record_codec.encode_samples(SampleBatch.from_samples([good]).take(np.zeros(1, dtype=bool))),
        "rows: [], expected at least one for each sample",
    ),
    "too few answers": (_said(np.full((1, 3), 1 / 3, np.float32)), "outputs.probabilities: shape (1, 3) where 2 rows"),
    "no rows": (
        _with(
            inputs={"input": np.zeros((0, 2), np.float32)},
            outputs={"probabilities": np.zeros((0, 3), np.float32)},
            member=np.zeros((0, 1), dtype=bool),
        ),
        "rows: [0], expected at least one for each sample",
    ),
    "words": (_said(np.array([["a", "b", "c"]] * 2, dtype=object)), "object of shape (2, 3)"),
    "whole numbers": (_said(np.ones((2, 3), np.int64)), "int64 of shape (2, 3)"),
    "too many axes": (_said(np.ones((2, 3, 4), np.float32)), "float32 of shape (2, 3, 4)"),
    "no classes": (_said(np.ones((2, 0), np.float32)), "float32 of shape (2, 0)"),
}


@pytest.mark.parametrize("name", POISON)
def test_invalid_record_is_parked_and_others_are_compared(shop: WorkerHarness, name: str) -> None:
    """The topic of dead records has the original bytes and the reason."""
    make, reason = POISON[name]
    good = sample(shop.watched["m"], ROWS)
    poison = make(good)
    shop.publish(replace(good, request_id="before"))
    shop.bus.publish(topic(SAMPLES), poison)
    shop.publish(replace(good, request_id="after"))
    assert shop.worker().step(0) == 3
    (batch,) = shop.comparisons()
    assert batch.request_id == ("before", "before", "after", "after")
    assert batch.offset.tolist() == [0, 0, 2, 2]
    assert list(shop.parked()) == [poison]
    assert reason in shop.parked()[poison]
    assert len(shop.parked()[poison]) <= 200
    assert shop.dead() == 1
    assert shop.worker().step(0) == 0, "poison is committed, or it would come back for ever"


class NarrowBus(MemoryBus):
    """A bus that refuses comparisons and dead records of more than ``most`` bytes."""

    most = 1 << 30

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Refuse records that are too large."""
        if len(value) > self.most and not topic.endswith(SAMPLES):
            raise RecordTooLargeError(f"a record of {len(value)} bytes")
        super().publish(topic, value, key)


def test_comparisons_that_are_too_large_are_split_by_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record itself is never split, as its rows are counted together; it is parked, cut if necessary."""
    shop = WorkerHarness({"m": watched(tmp_path)}, NarrowBus())
    pair = shop.watched["m"]
    for number, rows in enumerate((20, 400, 20)):
        shop.publish(sample(pair, np.ones((rows, 2)), number=number))
    monkeypatch.setattr(NarrowBus, "most", 16_000)
    monkeypatch.setattr(dead_letters, "MAX_PARKED_BYTES", 100)
    assert shop.worker().step(0) == 3
    assert [len(batch) for batch in shop.comparisons()] == [20, 20]
    (reason,) = shop.parked().values()
    assert reason.startswith(f"{topic(SAMPLES)}/0/1: a record of ")
    assert shop.dead() == 1
    assert shop.worker().step(0) == 0, "all of it was dealt with"
