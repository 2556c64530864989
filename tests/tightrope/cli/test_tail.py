from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cluster.cluster import cluster_on
from tests.support.payload_events import event
from tests.tightrope.wiring.test_topics import topics_config
from tightrope.cli.tail import render_record, tail, to_json
from tightrope.demo.broker import Broker
from tightrope.monitors.records import Event
from tightrope.service.adapters.ports import BusUnavailableError, Record
from tightrope.service.adapters.topics import EVENTS, PAYLOADS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.cloudevents import encode
from tightrope.service.adapters.wire.envelope import pack
from tightrope.service.config.loader import ConfigError, load


def test_record_is_shown_with_its_position() -> None:
    """Small arrays are shown in full, large ones as type and shape, bytes as their size; every number fits JSON."""
    body = {
        "small": np.array([1.0, np.nan]),
        "large": np.zeros((3, 4), np.float32),
        "words": np.array(["a", "b"], dtype=object),
        "raw": b"abc",
        "list": [float("inf"), 2],
    }
    shown = render_record(Record("tightrope.samples", 1, 7, "m", pack("tightrope.some", body), 0.25))
    assert shown == {
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


def test_unreadable_record_shows_the_error() -> None:
    """An unreadable record shows its size and the error."""
    shown = render_record(Record("t", 0, 0, None, b"\xff", 0.0))
    assert shown["bytes"] == 1
    assert str(shown["error"]).startswith("not a record")


def test_inconsistent_array_is_not_decoded() -> None:
    """An array whose data does not match its type and shape is shown as type and shape."""
    assert to_json({"dtype": "<f8", "shape": [1], "data": b"1234"}) == "<<f8[1]>"
    assert to_json({"dtype": "|O", "shape": [1], "data": b"12345678"}) == "<|O[1]>"
    assert to_json({"dtype": "<f8", "shape": ["x"], "data": b""}) == "<<f8['x']>"


def test_tail_shows_last_and_new_records(kafka: Broker, tmp_path: Path) -> None:
    """The last records of every partition are shown; new ones only with ``follow``."""
    with cluster_on(tmp_path, kafka.address) as cluster, cluster.bus() as bus:
        cluster.make_topics()
        for number in range(5):
            bus.publish(
                topic(EVENTS), record_codec.encode_event(Event(f"e{number}", 0.0, "m", "k", "s", "a", "r")), "m"
            )
        bus.flush(10.0)
        ids = [record["body"]["id"] for record in tail(cluster.settings, "events", 2, follow=False)]  # type: ignore[index]
        assert ids == ["e3", "e4"]
        following = tail(cluster.settings, "tightrope.events", 1, follow=True)
        assert next(following)["offset"] == 4
        bus.publish(topic(EVENTS), b"later", "m")
        assert [record["bytes"] for record in islice(following, 1)] == [5]
        following.close()  # type: ignore[attr-defined]


def test_tail_ends_while_records_arrive(kafka: Broker, tmp_path: Path) -> None:
    """Records that arrive during the output do not prolong it."""
    with cluster_on(tmp_path, kafka.address) as cluster, cluster.bus() as bus:
        cluster.make_topics()

        def publish() -> None:
            bus.publish(topic(EVENTS), b"one", "m")
            bus.flush(10.0)

        publish()
        publish()
        seen = 0
        for _ in islice(tail(cluster.settings, "events", 2, follow=False), 50):
            seen += 1
            publish()
        assert 2 <= seen < 50


def test_errors_are_one_line(tmp_path: Path) -> None:
    """An unknown topic and an unavailable Kafka."""
    path, _ = topics_config(tmp_path, "127.0.0.1:1")
    settings = load(path, {})
    with pytest.raises(ConfigError, match="TOPIC: is 'sample'; it must be one of samples, "):
        list(tail(settings, "sample", 1, follow=False))
    with pytest.raises(BusUnavailableError, match="does not answer"):
        list(tail(settings, "samples", 1, follow=False))


def test_payload_event_shows_its_attributes() -> None:
    """A CloudEvent's attributes are shown; of its data, which is a caller's, only the size."""
    record = Record(topic(PAYLOADS), 1, 7, "the-id", encode(event("request", b'{"inputs": []}', "the-id"), "credit"))
    shown = render_record(record)
    assert (shown["schema"], shown["key"]) == ("cloudevents", "the-id")
    body: Any = shown["body"]
    assert (body["id"], body["tightropemodel"], body["data"]) == ("the-id", "credit", "<13 bytes>")
    assert body["type"].endswith(".inference.request")
