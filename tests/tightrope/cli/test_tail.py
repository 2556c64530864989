from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cluster.cluster import cluster_on
from tests.support.payload_events import event
from tests.tightrope.wiring.test_topics import written
from tightrope.cli.tail import plain, shown, tail
from tightrope.demo.broker import Broker
from tightrope.monitors.records import Event
from tightrope.service.adapters.ports import BusAwayError, Record
from tightrope.service.adapters.topics import EVENTS, PAYLOADS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.cloudevents import encode
from tightrope.service.adapters.wire.envelope import pack
from tightrope.service.config.loader import ConfigError, load


def test_record_is_shown_with_its_place() -> None:
    """Small arrays whole, large ones as type and shape, bytes as their number, no number that JSON cannot hold."""
    body = {
        "small": np.array([1.0, np.nan]),
        "large": np.zeros((3, 4), np.float32),
        "words": np.array(["a", "b"], dtype=object),
        "raw": b"abc",
        "list": [float("inf"), 2],
    }
    told = shown(Record("tightrope.samples", 1, 7, "m", pack("tightrope.some", body), 0.25))
    assert told == {
        "partition": 1,
        "offset": 7,
        "key": "m",
        "time": "1970-01-01T00:00:00.250+00:00",
        "schema": "tightrope.some",
        "body": {
            "small": [1.0, "nan"],
            "large": "<<f4[3, 4]>",
            "words": ["a", "b"],
            "raw": "<3 bytes>",
            "list": ["inf", 2],
        },
    }


def test_what_cannot_be_read_says_why() -> None:
    """Garbage is what one looks for in the dead topic."""
    told = shown(Record("t", 0, 0, None, b"\xff", 0.0))
    assert told["bytes"] == 1
    assert str(told["error"]).startswith("not a record")


def test_array_that_lies_is_not_believed() -> None:
    """Its data are not what its type and shape say."""
    assert plain({"dtype": "<f8", "shape": [1], "data": b"1234"}) == "<<f8[1]>"
    assert plain({"dtype": "|O", "shape": [1], "data": b"12345678"}) == "<|O[1]>"
    assert plain({"dtype": "<f8", "shape": ["x"], "data": b""}) == "<<f8['x']>"


def test_last_records_and_those_that_come(kafka: Broker, tmp_path: Path) -> None:
    """Of every partition; it goes on only if asked."""
    with cluster_on(tmp_path, kafka.address) as made, made.bus() as bus:
        made.make_topics()
        for number in range(5):
            bus.publish(
                topic(EVENTS), record_codec.encode_event(Event(f"e{number}", 0.0, "m", "k", "s", "a", "r")), "m"
            )
        bus.flush(10.0)
        ids = [record["body"]["id"] for record in tail(made.settings, "events", 2, follow=False)]  # type: ignore[index]
        assert ids == ["e3", "e4"]
        going = tail(made.settings, "tightrope.events", 1, follow=True)
        assert next(going)["offset"] == 4
        bus.publish(topic(EVENTS), b"later", "m")
        assert [record["bytes"] for record in islice(going, 1)] == [5]
        going.close()  # type: ignore[attr-defined]


def test_it_ends_though_more_comes_all_the_time(kafka: Broker, tmp_path: Path) -> None:
    """Records that come while others are shown need not be."""
    with cluster_on(tmp_path, kafka.address) as made, made.bus() as bus:
        made.make_topics()

        def come() -> None:
            bus.publish(topic(EVENTS), b"one", "m")
            bus.flush(10.0)

        come()
        come()
        seen = 0
        for _ in islice(tail(made.settings, "events", 2, follow=False), 50):
            seen += 1
            come()
        assert 2 <= seen < 50


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    """A topic that there is not, a Kafka that is not there."""
    path, _ = written(tmp_path, "127.0.0.1:1")
    settings = load(path, {})
    with pytest.raises(ConfigError, match="TOPIC: is 'sample'; it must be one of samples, "):
        list(tail(settings, "sample", 1, follow=False))
    with pytest.raises(BusAwayError, match="does not answer"):
        list(tail(settings, "samples", 1, follow=False))


def test_payload_event_is_shown_by_its_attributes() -> None:
    """It is JSON, because others write it, too; of its data, which are a caller's, only the size is told."""
    record = Record(topic(PAYLOADS), 1, 7, "the-id", encode(event("request", b'{"inputs": []}', "the-id"), "credit"))
    told = shown(record)
    assert (told["schema"], told["key"]) == ("cloudevents", "the-id")
    body: Any = told["body"]
    assert (body["id"], body["tightropemodel"], body["data"]) == ("the-id", "credit", "<13 bytes>")
    assert body["type"].endswith(".inference.request")
