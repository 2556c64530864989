import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cluster.foreign_records import ForeignRecord, write_records
from tests.tightrope.wiring.test_topics import NAMES, topics_config
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.config.loader import ConfigError, Settings, load
from tightrope.wiring import cluster, shadow_processes
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


def test_check_warns_of_records_without_signatures(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """The configuration is valid; people and machines are told what it leaves open, and nothing once it is closed."""
    path, _ = topics_config(tmp_path, "127.0.0.1:1")
    assert run("check", path) == 0
    assert "warning bus.kafka.signing: is missing, so records are not signed" in capsys.readouterr().err
    assert run("check", path, "--json") == 0
    (line,) = json.loads(capsys.readouterr().out)["warnings"]
    assert line.startswith("bus.kafka.signing: is missing")
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text("5e" * 32)
    path, _ = topics_config(tmp_path, "127.0.0.1:1", signing={"secret_file": "secret"})
    assert run("check", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == []


def test_tail_shows_refused_records_and_parks_none(
    kafka: Broker, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person who looks for the writer of forged records sees them."""
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text("5e" * 32)
    path, _ = topics_config(tmp_path, kafka.address, signing={"secret_file": "secret"})
    assert run("topics", path, "--json") == 0
    write_records(kafka_options(load(path, {})), [ForeignRecord("tightrope.control", "m", b"forged")])
    capsys.readouterr()
    assert run("tail", path, "control") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["key"] == "m"
    assert run("tail", path, "dead") == 0
    assert capsys.readouterr().out == ""


def test_acls_prints_the_commands_for_the_user_of_the_configuration(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """They have the servers, the prefix and the user; no broker is called, and an unknown process is an error."""
    client = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_plain_username": "one"}
    path, prefix = topics_config(tmp_path, "127.0.0.1:1", client=client)
    start = "kafka-acls.sh --bootstrap-server 127.0.0.1:1 --command-config admin.properties --add --allow-principal"
    assert run("acls", path, "worker") == 0
    assert capsys.readouterr().out.splitlines() == [
        "# worker",
        f"{start} 'User:one' --operation Read --topic {prefix}tightrope.samples",
        f"{start} 'User:one' --operation Read --group {prefix}workers",
        f"{start} 'User:one' --operation Write --topic {prefix}tightrope.comparisons --topic {prefix}tightrope.dead",
    ]
    assert run("acls", path, "labels", "payloads", "--principal", "User:two", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        name: [f"{start} 'User:two' --operation Write --topic {prefix}tightrope.{name}"]
        for name in ("labels", "payloads")
    }
    assert run("acls", path) == 0
    assert len([line for line in capsys.readouterr().out.splitlines() if line.startswith("# ")]) == 11
    assert run("acls", path, "boss") == 1
    assert capsys.readouterr().err.startswith("error PROCESS: is 'boss'; it must be one of gateway, payload-gateway, ")


@pytest.mark.parametrize("part", ["serve", "worker", "judge"])
def test_parts_are_built_with_private_files(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Files that a part makes while it is built, such as that of the alerts that wait, are for its user alone; so are
    those of an earlier version.
    """
    path, _ = topics_config(tmp_path, "127.0.0.1:1")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "alerts.db").touch(0o644)
    masks = []

    def build(settings: Settings, *_: object) -> None:
        masks.append(os.umask(0o077))
        assert stat.S_IMODE((settings.state / "alerts.db").stat().st_mode) == 0o600
        raise ConfigError(["this is as far as it goes"])

    for module, name in ((cluster, "gateway"), (shadow_processes, "worker"), (shadow_processes, "judge")):
        monkeypatch.setattr(module, name, build)
    before = os.umask(0o022)
    try:
        assert run(part, path) == 1
    finally:
        os.umask(before)
    assert masks == [0o077]
