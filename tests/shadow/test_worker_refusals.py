"""A record cannot kill a worker: one on which the comparison fails is parked, and the others are compared."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import msgpack

from tests.support.samples import WorkerHarness, sample, watched
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.records import Sample
from tightrope.service.adapters.ports import ComparedBatch
from tightrope.service.adapters.prometheus.metric import Component
from tightrope.service.adapters.topics import SAMPLES, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow import worker as module
from tightrope.shadow.comparison import SampleRecord

ROWS = [[0.5, 1.0], [1.0, 0.25]]
COMPARE = module.compare_samples


def failing_on(request_ids: set[str], error: Exception, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the comparison of these requests fail; returns the number of records of each attempt."""
    attempts: list[int] = []

    def compare(watched: Any, records: Sequence[SampleRecord], log: str) -> Iterator[ComparedBatch]:  # noqa: ANN401 - as the original
        attempts.append(len(records))
        if request_ids & {name for record in records for name in record.samples.request_id}:
            raise error
        yield from COMPARE(watched, records, log)

    monkeypatch.setattr(module, "compare_samples", compare)
    return attempts


@pytest.fixture
def harness(tmp_path: Path) -> WorkerHarness:
    """A worker's surroundings, with twenty samples of one model."""
    pair = watched(tmp_path)
    harness = WorkerHarness({"m": pair})
    for number in range(20):
        harness.publish(sample(pair, ROWS, number=number))
    return harness


def test_record_on_which_the_comparison_fails_is_parked(
    harness: WorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found by halving, and counted; the other samples are compared once, in the order of the log."""
    attempts = failing_on({"r-3", "r-17"}, KeyError("poison"), monkeypatch)
    assert harness.worker().step(0) == 20
    offsets = [int(offset) for batch in harness.comparisons() for offset in batch.offset[::2]]
    assert offsets == [number for number in range(20) if number not in {3, 17}]
    assert sorted(key for key in harness.parked().values()) == [
        "tightrope.samples/0/17: KeyError: 'poison'",
        "tightrope.samples/0/3: KeyError: 'poison'",
    ]
    assert harness.dead() == 2
    assert len(attempts) < 25
    assert harness.worker().step(0) == 0


@pytest.mark.parametrize("error", [OSError("disk full"), MemoryError()])
def test_fault_of_the_environment_parks_nothing(
    harness: WorkerHarness, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The step fails, and its records are compared again."""
    with monkeypatch.context() as broken:
        failing_on({"r-3"}, error, broken)
        with pytest.raises(type(error)):
            harness.worker().step(0)
    assert harness.parked() == {}
    assert harness.worker().step(0) == 20
    assert harness.dead() == 0


def published(harness: WorkerHarness, one: Sample, **body: object) -> int:
    """Publish a sample with these fields in its body; returns the number of dead records."""
    document = msgpack.decode(record_codec.encode_samples(SampleBatch.from_samples([one])))
    document["body"].update(body)
    harness.bus.publish(topic(SAMPLES), msgpack.encode(document))
    worker = harness.worker()
    while worker.step(0):
        pass
    return harness.dead()


def test_short_record_of_many_rows_is_refused(harness: WorkerHarness) -> None:
    """Rows without scopes and values take no bytes in a record, and gigabytes in a worker."""
    one = replace(sample(harness.watched["m"], ROWS, number=99), scopes=(), member=np.zeros((2, 0), dtype=bool))
    empty = {"dtype": "|b1", "shape": [2**31 - 1, 0], "data": b""}
    rows = {"dtype": "<i8", "shape": [1], "data": np.array([2**31 - 1]).tobytes()}
    tensor = {"dtype": "<f4", "shape": [2**31 - 1, 0], "data": b""}
    assert published(harness, one, rows=rows, member=empty, inputs={"input": tensor}, outputs={"p": tensor}) == 1
    assert sum(len(batch) for batch in harness.comparisons()) == 40


def test_scopes_that_are_not_configured_make_no_series(harness: WorkerHarness) -> None:
    """A gateway with another configuration may send any; its rows are stale for the judge."""
    harness.metrics.initialize(Component.WORKER, "m", ("model", "half=left"))
    one = replace(sample(harness.watched["m"], ROWS, number=99), scopes=("half=strange",))
    assert published(harness, one) == 0
    body = harness.metrics.exposition("")[0]
    assert b'scope="half=left"' in body
    assert b"strange" not in body
