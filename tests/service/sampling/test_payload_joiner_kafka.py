"""Payload events over a real broker: received by one gateway, joined by another."""

import time
from contextlib import ExitStack
from pathlib import Path

from tests.support.cluster.kafka_buses import bus_on, create_all_topics, unique_options
from tests.support.payload_events import event, request_body, response_body
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import DRAW_KEY, GatewayHarness
from tightrope.demo.broker import Broker
from tightrope.service.adapters.topics import PAYLOADS, topic
from tightrope.service.adapters.wire.cloudevents import encode
from tightrope.service.config.models import PayloadsSection
from tightrope.service.sampling.payload_joiner import PayloadConsumer

PAIRS = 40


def test_events_of_a_request_reach_the_same_gateway(kafka: Broker, tmp_path: Path) -> None:
    """Forty pairs over two partitions and two readers of one group: each is joined once, none is lost."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    with ExitStack() as opened:
        buses = [opened.enter_context(bus_on(own)) for _ in range(2)]
        watched = {"m": PayloadsSection()}
        readers = [PayloadConsumer(bus, bench.pairs, watched, bench.outbox, bench.metrics, DRAW_KEY) for bus in buses]
        deadline = time.monotonic() + 60.0
        while not all(reader._events._consumer and reader._events._consumer.assignment() for reader in readers):  # type: ignore[attr-defined]
            assert time.monotonic() < deadline
            for reader in readers:
                reader.step(0.1)
        for kind, body in (("response", response_body([0.75, 0.25])), ("request", request_body([50.0, 1.0]))):
            for n in range(PAIRS):
                part = event(kind, body, f"r{n}")
                buses[n % 2].publish(topic(PAYLOADS), encode(part, "m"), part.id)
        for bus in buses:
            bus.flush(10.0)
        read = [0, 0]
        while sum(read) < 2 * PAIRS:
            assert time.monotonic() < deadline
            read = [count + reader.step(0.1) for count, reader in zip(read, readers, strict=True)]
    assert min(read) > 0, "one of the two read everything"
    assert bench.count("payload_events", model="m", outcome="joined") == 2 * PAIRS
    assert {sample.request_id for sample in bench.published()[0]} == {f"r{n}" for n in range(PAIRS)}
