import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tightrope.wiring.test_topics import NAMES, written
from tightrope.cli import main as cli
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.config.loader import load
from tightrope.wiring.topics import options_of

Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in this process; returns the exit code."""

    def it(*arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", ["tightrope", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    return it


def test_topics_says_what_it_made(kafka: Broker, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """For machines and for people; the exit code is 1 while something is not as it should be."""
    path, prefix = written(tmp_path, kafka.address)
    names = [prefix + name for name in NAMES]
    assert run("topics", path, "--check") == 1
    assert capsys.readouterr().err.splitlines() == [f"differs {name}: is not there" for name in NAMES]
    assert run("topics", path, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "topics": names, "made": names, "differences": []}
    assert run("topics", path) == 0
    assert capsys.readouterr().out.splitlines() == names


def test_kafka_that_is_away_is_one_line(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 1, and no traceback."""
    path, _ = written(tmp_path, "127.0.0.1:1")
    assert run("topics", path) == 1
    told = capsys.readouterr().err
    assert told.startswith("error Kafka at 127.0.0.1:1: ")
    assert len(told.splitlines()) == 1


def test_check_knows_the_options_of_the_client(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Without asking a broker."""
    path, _ = written(tmp_path, "127.0.0.1:1", client={"linger": 5})
    assert run("check", path) == 1
    assert "bus.kafka.client.linger: the Kafka client has no such option (it is 5)" in capsys.readouterr().err


def test_tail_prints_a_line_a_record(
    kafka: Broker, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the topic's short name or its whole one; one that does not exist is a mistake."""
    path, _ = written(tmp_path, kafka.address)
    assert run("topics", path, "--json") == 0
    bus = KafkaBus(options_of(load(path, {})))
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
