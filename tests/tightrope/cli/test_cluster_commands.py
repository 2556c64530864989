import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tightrope.wiring.test_topics import NAMES, topics_config
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.config.loader import load
from tightrope.wiring.topics import kafka_options

Run = Callable[..., int]


def test_topics_lists_created_topics(
    kafka: Broker, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Created topics are listed for machines and for people; the exit code is 1 while a topic differs."""
    path, prefix = topics_config(tmp_path, kafka.address)
    names = [prefix + name for name in NAMES]
    assert run("topics", path, "--check") == 1
    assert capsys.readouterr().err.splitlines() == [f"differs {name}: is missing" for name in NAMES]
    assert run("topics", path, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "topics": names, "made": names, "differences": []}
    assert run("topics", path) == 0
    assert capsys.readouterr().out.splitlines() == names


def test_unavailable_kafka_is_one_line(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 1, and there is no traceback."""
    path, _ = topics_config(tmp_path, "127.0.0.1:1")
    assert run("topics", path) == 1
    error = capsys.readouterr().err
    assert error.startswith("error Kafka at 127.0.0.1:1: ")
    assert len(error.splitlines()) == 1


def test_check_validates_client_options(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The check needs no broker."""
    path, _ = topics_config(tmp_path, "127.0.0.1:1", client={"linger": 5})
    assert run("check", path) == 1
    assert "bus.kafka.client.linger: the Kafka client has no such option (it is 5)" in capsys.readouterr().err


def test_tail_prints_one_line_per_record(
    kafka: Broker, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """A topic is named by its short or its full name; an unknown name is an error."""
    path, _ = topics_config(tmp_path, kafka.address)
    assert run("topics", path, "--json") == 0
    bus = KafkaBus(kafka_options(load(path, {})))
    bus.publish("tightrope.dead", b"garbage", "why")
    bus.flush(10.0)
    bus.close(1.0)
    capsys.readouterr()
    for name in ("dead", "tightrope.dead"):
        assert run("tail", path, name) == 0
        (line,) = capsys.readouterr().out.splitlines()
        assert {k: json.loads(line)[k] for k in ("key", "offset", "bytes")} == {"key": "why", "offset": 0, "bytes": 7}
    assert run("tail", path, "nothing") == 1
    assert capsys.readouterr().err.startswith("error TOPIC: is 'nothing'; it must be one of samples, comparisons, ")
