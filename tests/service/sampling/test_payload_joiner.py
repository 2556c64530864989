"""Payload events are joined in bounded memory and become samples."""

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.payload_events import event, request_body, response_body
from tests.support.serving.model_pairs import CALM, SUBGROUPS, sure_and_unsure
from tests.support.serving.service_harness import DRAW_KEY, GatewayHarness, eventually
from tightrope.monitors.records import Role, Sample
from tightrope.service.adapters.topics import DEAD, INTAKE_GROUP, PAYLOADS, topic
from tightrope.service.adapters.wire.cloudevents import PayloadEvent, encode
from tightrope.service.config.models import PayloadsSection
from tightrope.service.protocol.rest import HEADER_LENGTH
from tightrope.service.sampling import payload_joiner as module
from tightrope.service.sampling.payload_joiner import EventJoiner, PayloadConsumer

ROW, SAYS = [50.0, 1.0], [0.75, 0.25]


@pytest.fixture
def bench(tmp_path: Path) -> GatewayHarness:
    """A gateway with a pair that has subgroups."""
    return GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS}})


class ConsumerHarness:
    """A consumer of the events of ``m``, driven by `step`."""

    def __init__(self, bench: GatewayHarness, **changes: object) -> None:
        self.bench = bench
        section = PayloadsSection.model_validate(changes)
        self.consumer = PayloadConsumer(
            bench.bus, bench.pairs, {"m": section}, bench.outbox, bench.metrics, DRAW_KEY, lambda: 77.0
        )

    def send(self, *events: PayloadEvent, model: str = "m") -> None:
        """Publish events, and process them."""
        for one in events:
            self.bench.bus.publish(topic(PAYLOADS), encode(one, model), one.id)
        self.consumer.step(0.0)

    def count(self, outcome: str) -> int:
        """The number of events with this outcome."""
        return self.bench.count("payload_events", model="m", outcome=outcome)

    def samples(self) -> list[Sample]:
        """The published samples; stops the outbox."""
        return self.bench.published()[0]

    def dead_letters(self) -> list[str]:
        """The reasons in the dead-letter topic."""
        records = self.bench.bus.subscribe(topic(DEAD)).poll(1000, 0.0)
        return [(record.key or "").removeprefix(f"{topic(PAYLOADS)}: ") for record in records]


@pytest.fixture
def harness(bench: GatewayHarness) -> ConsumerHarness:
    """A consumer with default settings."""
    return ConsumerHarness(bench)


def test_request_and_answer_become_a_sample(harness: ConsumerHarness) -> None:
    """With inputs, outputs, role, subgroups, the events' latency, and the gateway's own time."""
    request = request_body(ROW, [5.0, 1.0], parameters={"region": "south"}, id="the-callers")
    harness.send(
        event("request", request, time="2026-11-21T10:00:00Z"),
        event("response", response_body(SAYS, [0.5, 0.5]), time="2026-11-21T10:00:00.25Z"),
    )
    (sample,) = harness.samples()
    assert (sample.model, sample.request_id, sample.served_by) == ("m", "the-callers", Role.COMPRESSED)
    assert sample.inputs["input"].tolist() == [ROW, [5.0, 1.0]]
    assert sample.outputs["probabilities"].tolist() == [SAYS, [0.5, 0.5]]
    assert sample.outputs["probabilities"].dtype == np.float32
    scopes = {scope: sample.member[:, index].tolist() for index, scope in enumerate(sample.scopes)}
    assert (scopes["region=south"], scopes["band=low"]) == ([True, True], [False, True])
    assert (sample.time, sample.seconds) == (77.0, 0.25)
    assert sample.baseline_digest == harness.bench.pairs["m"].plan.baseline_digest
    assert harness.count("joined") == 2
    assert harness.bench.count("samples", model="m") == 1


def test_events_are_joined_in_any_order(harness: ConsumerHarness) -> None:
    """Loggers send the two events independently."""
    harness.send(event("response", response_body(SAYS)), event("request", request_body(ROW), id_="b"))
    assert harness.count("joined") == 0
    harness.send(event("request", request_body(ROW)), event("response", response_body(SAYS), id_="b"))
    assert harness.count("joined") == 4
    assert [sample.request_id for sample in harness.samples()] == ["a", "b"]


def test_baseline_may_be_the_answering_role(bench: GatewayHarness) -> None:
    """Then the compressed model runs as the shadow, before it serves."""
    harness = ConsumerHarness(bench, answered_by="baseline")
    harness.send(event("request", request_body(ROW)), event("response", response_body(SAYS)))
    assert harness.samples()[0].served_by is Role.BASELINE


def test_binary_tensors_need_the_header_in_the_metadata(harness: ConsumerHarness) -> None:
    """Without it the end of the JSON is unknown."""
    tensor = {"name": "input", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    output = {"name": "probabilities", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    for id_, has_length in (("a", True), ("b", False)):
        for kind, part in (("request", {"inputs": [tensor]}), ("response", {"outputs": [output]})):
            head = json.dumps(part).encode()
            raw = head + np.array(ROW if kind == "request" else SAYS, "<f4").tobytes()
            metadata = json.dumps({HEADER_LENGTH: [str(len(head))]}) if has_length else "{}"
            harness.send(event(kind, raw, id_, metadata=metadata))
    (sample,) = harness.samples()
    assert (sample.request_id, sample.inputs["input"].tolist()) == ("a", [ROW])
    assert sample.outputs["probabilities"].tolist() == [SAYS]
    assert harness.count("unreadable") == 2


def test_only_sampled_requests_are_offered(tmp_path: Path) -> None:
    """By id and inputs: a gateway that serves the same requests in the same era samples the same ones."""
    bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "sampling": {"rate": 0.3}}})
    harness = ConsumerHarness(bench)
    for n in range(200):
        harness.send(event("request", request_body(ROW), f"r{n}"), event("response", response_body(SAYS), f"r{n}"))
    kept = {sample.request_id for sample in harness.samples()}
    assert harness.count("joined") == 400
    assert 30 < len(kept) < 90
    served = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "sampling": {"rate": 0.3}}})
    served.time = 77.0
    for n in range(200):
        served.infer("m", json.loads(request_body(ROW, id=f"r{n}")))
    assert {sample.request_id for sample in served.published()[0]} == kept


@pytest.mark.parametrize(
    ("request_", "response", "expected_error"),
    [
        (b'{"instances": [[1, 2]]}', response_body(SAYS), "inputs: missing input"),
        (request_body([1.0, 2.0, 3.0]), response_body(SAYS), "input 'input': shape"),
        (b"\xff", response_body(SAYS), "request is not valid JSON"),
        (request_body(ROW), b'{"predictions": [1]}', "the answer cannot be read"),
        (request_body(ROW), b"", "the answer cannot be read"),
        (request_body(ROW), response_body(SAYS, name="other"), "the answer has no output 'probabilities'"),
        (request_body(ROW), response_body(SAYS, SAYS), "probabilities: float32 of shape (2, 2) for 1 rows"),
        (request_body(ROW), response_body([1.0, 0.0], datatype="INT64", data=[1, 0]), "probabilities: int64"),
        (request_body(ROW, id="x" * 999), response_body(SAYS), "id is "),
    ],
)
def test_unreadable_pair_is_dead_lettered_with_the_reason(
    harness: ConsumerHarness, request_: bytes, response: bytes, expected_error: str
) -> None:
    """Both events of the pair; the next pair is joined."""
    harness.send(event("request", request_), event("response", response))
    harness.send(event("request", request_body(ROW), "b"), event("response", response_body(SAYS), "b"))
    assert (harness.count("unreadable"), harness.count("joined")) == (2, 2)
    assert [reason.startswith(expected_error) for reason in harness.dead_letters()] == [True, True]
    assert [sample.request_id for sample in harness.samples()] == ["b"]
    assert harness.bench.count("dead_records", topic=topic(PAYLOADS)) == 2


def test_record_that_is_no_event_is_dead_lettered(harness: ConsumerHarness) -> None:
    """Events of a model that takes none fare the same."""
    harness.bench.bus.publish(topic(PAYLOADS), b"\x00garbage", "k")
    harness.send(event("request", request_body(ROW)), model="other")
    assert [reason.split(":")[0] for reason in harness.dead_letters()] == ["not a payload event", "model"]


@pytest.mark.parametrize("step", ["sample_from", "decode"])
def test_event_on_which_the_consumer_fails_is_parked(
    harness: ConsumerHarness, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The events behind it are joined, after any error."""
    harness.bench.bus.publish(topic(PAYLOADS), encode(event("request", request_body(ROW)), "m"), "a")
    harness.bench.bus.publish(topic(PAYLOADS), encode(event("response", response_body(SAYS)), "m"), "a")
    sampled, decoded, failing = module.sample_from, module.cloudevents.decode, [True]

    def fail_once(*given: Any) -> Any:  # noqa: ANN401 - as the original
        if failing:
            failing.clear()
            raise ZeroDivisionError("poison")
        return sampled(*given) if step == "sample_from" else decoded(*given)

    monkeypatch.setattr(module if step == "sample_from" else module.cloudevents, step, fail_once)
    harness.send(event("request", request_body(ROW), "b"), event("response", response_body(SAYS), "b"))
    assert {reason.partition(":")[0] for reason in harness.dead_letters()} == {"ZeroDivisionError"}
    assert [sample.request_id for sample in harness.samples()] == ["b"]


def test_environment_parks_no_event(harness: ConsumerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step fails, and the consumer tries again."""

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "sample_from", fail)
    with pytest.raises(MemoryError):
        harness.send(event("request", request_body(ROW)), event("response", response_body(SAYS)))
    assert harness.dead_letters() == []


def test_processed_events_are_committed(harness: ConsumerHarness) -> None:
    """A restarted consumer does not read them again."""
    harness.send(event("request", request_body(ROW)), event("response", response_body(SAYS)))
    assert harness.bench.bus.subscribe(topic(PAYLOADS), group=INTAKE_GROUP).poll(10, 0.0) == []


def test_consumer_runs_in_a_thread_and_stops(bench: GatewayHarness) -> None:
    """Started and stopped with the gateway."""
    harness = ConsumerHarness(bench)
    for one in (event("request", request_body(ROW)), event("response", response_body(SAYS))):
        bench.bus.publish(topic(PAYLOADS), encode(one, "m"), one.id)
    harness.consumer.start()
    eventually(lambda: harness.count("joined") == 2)
    harness.consumer.stop(10.0)
    assert "payloads" not in {thread.name for thread in threading.enumerate()}


def test_event_without_a_counterpart_expires() -> None:
    """By a monotonic clock, also while no events arrive."""
    lost: Counter[str] = Counter()
    joiner = EventJoiner(10, 5.0, lambda outcome: lost.update([outcome]))
    joiner.join(event("request", id_="a"), 0.0)
    joiner.join(event("request", id_="b"), 3.0)
    joiner.expire(5.0)
    assert (len(joiner), lost) == (2, {})
    joiner.expire(5.1)
    assert (len(joiner), lost) == (1, {"expired": 1})
    assert joiner.join(event("response", id_="a"), 5.2) is None
    assert joiner.join(event("response", id_="b"), 5.2) is not None


def test_waiting_events_are_bounded_in_number_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is dropped; a single event that is too large is dropped at once."""
    lost: Counter[str] = Counter()
    joiner = EventJoiner(3, 60.0, lambda outcome: lost.update([outcome]))
    for n in range(5):
        joiner.join(event("request", id_=f"r{n}"), 0.0)
    assert (len(joiner), lost) == (3, {"crowded": 2})
    assert joiner.join(event("response", id_="r0"), 0.0) is None
    monkeypatch.setattr(module, "MAX_WAITING_EVENT_BYTES", 1000)
    joiner.join(event("request", b"x" * 2000, "large"), 0.0)
    assert len(joiner) == 0


@given(
    events=st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.floats(0, 3)), max_size=40),
    max_waiting=st.integers(1, 5),
)
def test_every_event_has_one_outcome(events: list[tuple[str, bool, float]], max_waiting: int) -> None:
    """Joined, duplicate, expired, crowded or waiting: the counts add up in any order, and each pair is a request with
    its own answer.
    """
    lost: Counter[str] = Counter()
    joiner, now, joined = EventJoiner(max_waiting, 2.0, lambda outcome: lost.update([outcome])), 0.0, 0
    for id_, is_request, pause in events:
        now += pause
        pair = joiner.join(event("request" if is_request else "response", id_=id_), now)
        if pair is not None:
            joined += 2
            assert (pair.request.kind, pair.response.kind) == ("request", "response")
            assert pair.request.id == pair.response.id == id_
        assert len(joiner) <= max_waiting
    assert joined + len(joiner) + lost.total() == len(events)
    joiner.expire(now + 3.0)
    assert (len(joiner), joiner._bytes) == (0, 0)
