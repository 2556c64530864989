"""Halves of a request that somebody else answered find each other, in bounded memory, and become samples."""

import json
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.payload_events import answered, asked, event
from tests.support.serving.model_pairs import CALM, SUBGROUPS, sure_and_unsure
from tests.support.serving.service_harness import Bench, eventually
from tightrope.monitors.records import Role, Sample
from tightrope.service.adapters.topics import DEAD, INTAKE, PAYLOADS, topic
from tightrope.service.adapters.wire.cloudevents import PayloadEvent, encode
from tightrope.service.config.models import Payloads
from tightrope.service.protocol.rest import HEADER_LENGTH
from tightrope.service.sampling import payload_joiner as module
from tightrope.service.sampling.payload_joiner import Joiner, PayloadLoop

ROW, SAYS = [50.0, 1.0], [0.75, 0.25]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """One pair with subgroups."""
    return Bench(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS}})


class Office:
    """A loop over the events of ``m``, stepped by hand."""

    def __init__(self, bench: Bench, **changes: object) -> None:
        self.bench = bench
        of = Payloads.model_validate(changes)
        self.loop = PayloadLoop(bench.bus, bench.pairs, {"m": of}, bench.outbox, bench.metrics, lambda: 77.0)

    def send(self, *events: PayloadEvent, model: str = "m") -> None:
        """Put events on the topic, and deal with them."""
        for one in events:
            self.bench.bus.publish(topic(PAYLOADS), encode(one, model), one.id)
        self.loop.step(0.0)

    def count(self, outcome: str) -> int:
        """Events that came to this."""
        return self.bench.count("payload_events", model="m", outcome=outcome)

    def samples(self) -> list[Sample]:
        """What was offered to the shadow; the outbox is stopped then."""
        return self.bench.published()[0]

    def parked(self) -> list[str]:
        """Why records were put aside."""
        records = self.bench.bus.subscribe(topic(DEAD)).poll(1000, 0.0)
        return [(record.key or "").removeprefix(f"{topic(PAYLOADS)}: ") for record in records]


@pytest.fixture
def office(bench: Bench) -> Office:
    """With what the settings have if nothing is said."""
    return Office(bench)


def test_request_and_answer_become_a_sample_of_whoever_answered(office: Office) -> None:
    """All that the shadow needs: inputs, the answer, the role, subgroups, the time it took, by our own clock now."""
    request = asked(ROW, [5.0, 1.0], parameters={"region": "south"}, id="the-callers")
    office.send(
        event("request", request, time="2026-11-21T10:00:00Z"),
        event("response", answered(SAYS, [0.5, 0.5]), time="2026-11-21T10:00:00.25Z"),
    )
    (sample,) = office.samples()
    assert (sample.model, sample.request_id, sample.served_by) == ("m", "the-callers", Role.COMPRESSED)
    assert sample.inputs["input"].tolist() == [ROW, [5.0, 1.0]]
    assert sample.outputs["probabilities"].tolist() == [SAYS, [0.5, 0.5]]
    assert sample.outputs["probabilities"].dtype == np.float32
    scopes = {scope: sample.member[:, place].tolist() for place, scope in enumerate(sample.scopes)}
    assert (scopes["region=south"], scopes["band=low"]) == ([True, True], [False, True])
    assert (sample.time, sample.seconds) == (77.0, 0.25)
    assert sample.baseline_digest == office.bench.pairs["m"].plan.baseline_digest
    assert office.count("joined") == 2
    assert office.bench.count("samples", model="m") == 1


def test_order_does_not_matter_and_a_half_may_come_later(office: Office) -> None:
    """The two are posted by themselves, and may overtake each other."""
    office.send(event("response", answered(SAYS)), event("request", asked(ROW), id_="b"))
    assert office.count("joined") == 0
    office.send(event("request", asked(ROW)), event("response", answered(SAYS), id_="b"))
    assert office.count("joined") == 4
    assert [sample.request_id for sample in office.samples()] == ["a", "b"]


def test_other_role_may_be_the_one_that_answers_there(bench: Bench) -> None:
    """Then the compressed model is the shadow, before it ever serves."""
    office = Office(bench, answered_by="baseline")
    office.send(event("request", asked(ROW)), event("response", answered(SAYS)))
    assert office.samples()[0].served_by is Role.BASELINE


def test_binary_tensors_are_read_where_the_logger_passed_the_length_on(office: Office) -> None:
    """Without it nobody can tell where the JSON ends."""
    tensor = {"name": "input", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    output = {"name": "probabilities", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    for id_, told in (("a", True), ("b", False)):
        for kind, part in (("request", {"inputs": [tensor]}), ("response", {"outputs": [output]})):
            head = json.dumps(part).encode()
            raw = head + np.array(ROW if kind == "request" else SAYS, "<f4").tobytes()
            metadata = json.dumps({HEADER_LENGTH: [str(len(head))]}) if told else "{}"
            office.send(event(kind, raw, id_, metadata=metadata))
    (sample,) = office.samples()
    assert (sample.request_id, sample.inputs["input"].tolist()) == ("a", [ROW])
    assert sample.outputs["probabilities"].tolist() == [SAYS]
    assert office.count("unreadable") == 2


def test_only_what_the_sampler_wants_is_offered(tmp_path: Path) -> None:
    """By the request's id, as in the gateway: the same requests are kept whoever served them."""
    bench = Bench(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "sampling": {"rate": 0.3}}})
    office = Office(bench)
    for n in range(200):
        office.send(event("request", asked(ROW), f"r{n}"), event("response", answered(SAYS), f"r{n}"))
    kept = {sample.request_id for sample in office.samples()}
    assert office.count("joined") == 400
    assert 30 < len(kept) < 90
    served = Bench(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "sampling": {"rate": 0.3}}})
    for n in range(200):
        served.infer("m", json.loads(asked(ROW, id=f"r{n}")))
    assert {sample.request_id for sample in served.published()[0]} == kept


@pytest.mark.parametrize(
    ("request_", "response", "says"),
    [
        (b'{"instances": [[1, 2]]}', answered(SAYS), "inputs: missing input"),
        (asked([1.0, 2.0, 3.0]), answered(SAYS), "input 'input': shape"),
        (b"\xff", answered(SAYS), "request is not valid JSON"),
        (asked(ROW), b'{"predictions": [1]}', "the answer cannot be read"),
        (asked(ROW), b"", "the answer cannot be read"),
        (asked(ROW), answered(SAYS, name="other"), "the answer has no output 'probabilities'"),
        (asked(ROW), answered(SAYS, SAYS), "probabilities: float32 of shape (2, 2) for 1 rows"),
        (asked(ROW), answered([1.0, 0.0], datatype="INT64", data=[1, 0]), "probabilities: int64"),
        (asked(ROW, id="x" * 999), answered(SAYS), "id is "),
    ],
)
def test_what_cannot_be_read_is_parked_with_the_reason(
    office: Office, request_: bytes, response: bytes, says: str
) -> None:
    """Both halves, and nobody else's: the next pair is joined."""
    office.send(event("request", request_), event("response", response))
    office.send(event("request", asked(ROW), "b"), event("response", answered(SAYS), "b"))
    assert (office.count("unreadable"), office.count("joined")) == (2, 2)
    assert [reason.startswith(says) for reason in office.parked()] == [True, True]
    assert [sample.request_id for sample in office.samples()] == ["b"]
    assert office.bench.count("dead_records", topic=topic(PAYLOADS)) == 2


def test_record_that_is_no_event_is_parked(office: Office) -> None:
    """Garbage, and events of a model that takes none."""
    office.bench.bus.publish(topic(PAYLOADS), b"\x00garbage", "k")
    office.send(event("request", asked(ROW)), model="other")
    assert [reason.split(":")[0] for reason in office.parked()] == ["not a payload event", "model"]


def test_events_are_dealt_with_once(office: Office) -> None:
    """What was read is committed: a loop that begins anew does not count it again."""
    office.send(event("request", asked(ROW)), event("response", answered(SAYS)))
    assert office.bench.bus.subscribe(topic(PAYLOADS), group=INTAKE).poll(10, 0.0) == []


def test_loop_runs_in_a_thread_of_its_own_and_stops(bench: Bench) -> None:
    """Started and stopped with the gateway."""
    office = Office(bench)
    for half in (event("request", asked(ROW)), event("response", answered(SAYS))):
        bench.bus.publish(topic(PAYLOADS), encode(half, "m"), half.id)
    office.loop.start()
    eventually(lambda: office.count("joined") == 2)
    office.loop.stop(10.0)
    assert "payloads" not in {thread.name for thread in threading.enumerate()}


def test_half_whose_other_never_comes_is_given_up_in_time() -> None:
    """By the clock that only goes forward; a loop that is idle gives up as well."""
    lost: Counter[str] = Counter()
    joiner = Joiner(10, 5.0, lambda outcome: lost.update([outcome]))
    joiner.take(event("request", id_="a"), 0.0)
    joiner.take(event("request", id_="b"), 3.0)
    joiner.expire(5.0)
    assert (len(joiner), lost) == (2, {})
    joiner.expire(5.1)
    assert (len(joiner), lost) == (1, {"expired": 1})
    assert joiner.take(event("response", id_="a"), 5.2) is None
    assert joiner.take(event("response", id_="b"), 5.2) is not None


def test_waiting_halves_are_bounded_in_number_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is given up; a single one that is too large is not kept at all."""
    lost: Counter[str] = Counter()
    joiner = Joiner(3, 60.0, lambda outcome: lost.update([outcome]))
    for n in range(5):
        joiner.take(event("request", id_=f"r{n}"), 0.0)
    assert (len(joiner), lost) == (3, {"crowded": 2})
    assert joiner.take(event("response", id_="r0"), 0.0) is None
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    joiner.take(event("request", b"x" * 2000, "large"), 0.0)
    assert len(joiner) == 0


@given(
    events=st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.floats(0, 3)), max_size=40),
    most=st.integers(1, 5),
)
def test_every_event_has_one_fate(events: list[tuple[str, bool, float]], most: int) -> None:
    """Joined, duplicate, expired, crowded or waiting: together as many as came, whatever their order; what is joined is
    a request with its own answer.
    """
    lost: Counter[str] = Counter()
    joiner, now, joined = Joiner(most, 2.0, lambda outcome: lost.update([outcome])), 0.0, 0
    for id_, is_request, pause in events:
        now += pause
        both = joiner.take(event("request" if is_request else "response", id_=id_), now)
        if both is not None:
            joined += 2
            assert (both.request.kind, both.response.kind) == ("request", "response")
            assert both.request.id == both.response.id == id_
        assert len(joiner) <= most
    assert joined + len(joiner) + lost.total() == len(events)
    joiner.expire(now + 3.0)
    assert (len(joiner), joiner._bytes) == (0, 0)
