import uuid
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from tests.support.cluster.kafka_buses import HOURS
from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.admin import create_topics, topic_specs
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.signature import Signing
from tightrope.service.config.loader import ConfigError, load
from tightrope.wiring.topics import TopicStatus, ensure_topics, kafka_options, signing_warning

NAMES = [
    f"tightrope.{n}"
    for n in ("samples", "comparisons", "labels", "control", "snapshots", "events", "dead", "payloads", "incidents")
]

PUBLIC = "other users may read or change it (mode 0644); run chmod 600"


def topics_config(folder: Path, address: str, **more: object) -> tuple[Path, str]:
    """Write a configuration with topics of its own; return it and their prefix."""
    prefix = f"{uuid.uuid4().hex[:8]}-"
    bus = {"kafka": {"servers": [address], "prefix": prefix, "partitions": 2, **more}}
    return write_config(folder, {**config(folder), "bus": bus}), prefix


def test_topics_are_created_once(kafka: Broker, tmp_path: Path) -> None:
    """The status names the created topics; a second run creates none, and a check never does."""
    path, prefix = topics_config(tmp_path, kafka.address)
    settings = load(path, {})
    names = [prefix + name for name in NAMES]
    assert ensure_topics(settings, check=True) == TopicStatus(names, [], [f"{name}: is missing" for name in NAMES])
    assert ensure_topics(settings, check=False) == TopicStatus(names, names, [])
    assert ensure_topics(settings, check=True) == ensure_topics(settings, check=False) == TopicStatus(names, [], [])


def test_differences_are_reported_and_left_alone(kafka: Broker, tmp_path: Path) -> None:
    """A person must decide: the number of partitions is fixed for a topic's life."""
    path, prefix = topics_config(tmp_path, kafka.address)
    create_topics(KafkaOptions((kafka.address,), prefix=prefix), topic_specs(3, 1 << 20, HOURS)[:1], 1)
    status = ensure_topics(load(path, {}), check=False)
    assert status.made == [prefix + name for name in NAMES[1:]]
    assert status.differences[0] == "tightrope.samples: has 3 partitions where 2 should be"


def test_wrong_options_are_named(tmp_path: Path) -> None:
    """They are status before a broker is called."""
    path, _ = topics_config(tmp_path, "127.0.0.1:1", client={"linger": 5})
    with pytest.raises(ConfigError, match=r"^bus\.kafka\.client\.linger: the Kafka client has no such option"):
        kafka_options(load(path, {}))


def test_missing_files_are_named(tmp_path: Path) -> None:
    """Each one is named; relative paths are relative to the configuration."""
    path, _ = topics_config(tmp_path, "127.0.0.1:1", client={"ssl_cafile": "ca.pem", "ssl_keyfile": "/nowhere/key.pem"})
    with pytest.raises(ConfigError) as caught:
        kafka_options(load(path, {}))
    assert caught.value.problems == [
        f"bus.kafka.client.ssl_cafile: {tmp_path}/ca.pem: there is no such file",
        "bus.kafka.client.ssl_keyfile: /nowhere/key.pem: there is no such file",
    ]


def test_missing_bus_is_named(tmp_path: Path) -> None:
    """The error says what would be right."""
    with pytest.raises(ConfigError, match=r"^bus: is missing; a cluster needs bus: {kafka: {servers: \[host:port\]}}$"):
        kafka_options(load(write_config(tmp_path, config(tmp_path)), {}))


def test_every_option_reaches_the_client(tmp_path: Path) -> None:
    """Each option of the client has its own name."""
    (tmp_path / "p").write_text("secret")
    path, prefix = topics_config(
        tmp_path, "k:9092", password_file="p", client={"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}
    )
    options = kafka_options(load(path, {}))
    assert options.prefix == prefix
    given = options.client_options(KafkaAdminClient)
    assert (given["security_protocol"], given["sasl_mechanism"]) == ("SASL_SSL", "PLAIN")
    assert given["sasl_plain_password"] == "secret"


def secret_file(folder: Path, name: str, content: str, mode: int = 0o600) -> str:
    """Write a secret and return its name."""
    (folder / name).write_text(content)
    (folder / name).chmod(mode)
    return name


def test_secrets_sign_and_check(tmp_path: Path) -> None:
    """The first one signs; both are valid; without the section nothing is signed."""
    signing = {
        "secret_file": secret_file(tmp_path, "a", "a" * 64),
        "previous_secret_file": secret_file(tmp_path, "b", "b" * 64 + "\n"),
        "unsigned": "accept",
    }
    path, _ = topics_config(tmp_path, "k:9092", signing=signing)
    assert kafka_options(load(path, {})).signing == Signing(b"a" * 64, b"b" * 64, accept_unsigned=True)
    path, _ = topics_config(tmp_path, "k:9092")
    assert kafka_options(load(path, {})).signing is None


def test_unusable_secrets_are_named(tmp_path: Path) -> None:
    """Each one, with the key and the reason, before a broker is called."""
    files = {"secret_file": "missing", "previous_secret_file": secret_file(tmp_path, "b", "b" * 64, 0o644)}
    path, _ = topics_config(tmp_path, "127.0.0.1:1", signing=files)
    with pytest.raises(ConfigError) as caught:
        kafka_options(load(path, {}))
    assert caught.value.problems == [
        f"bus.kafka.signing.secret_file: {tmp_path}/missing: cannot be read: No such file or directory",
        f"bus.kafka.signing.previous_secret_file: {tmp_path}/b: {PUBLIC} {tmp_path}/b",
    ]


def test_configuration_that_believes_every_writer_is_warned_about(tmp_path: Path) -> None:
    """Without a secret, and while unsigned records are accepted; a single process needs none."""
    secret = {"secret_file": secret_file(tmp_path, "a", "a" * 64)}
    found = []
    for more in ({}, {"signing": {**secret, "unsigned": "accept"}}, {"signing": secret}):
        path, _ = topics_config(tmp_path, "k:9092", **more)
        found.append(signing_warning(load(path, {})))
    assert found[0].startswith("bus.kafka.signing: is missing, so records are not signed: ")
    assert found[1].startswith("bus.kafka.signing.unsigned: is accept, ")
    assert found[2] == ""
    assert signing_warning(load(write_config(tmp_path, config(tmp_path)), {})) == ""
