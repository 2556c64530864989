import uuid
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from tests.support.cluster.kafka_buses import HOURS
from tests.support.harmful_pair import config
from tests.support.servers import write_config
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.admin import create, specs
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.config.loader import ConfigError, load
from tightrope.wiring.topics import Topics, options_of, topics

NAMES = [
    f"tightrope.{n}" for n in ("samples", "comparisons", "labels", "control", "snapshots", "events", "dead", "payloads")
]


def written(folder: Path, address: str, **more: object) -> tuple[Path, str]:
    """A configuration with topics of its own, and their prefix."""
    prefix = f"{uuid.uuid4().hex[:8]}-"
    bus = {"kafka": {"servers": [address], "prefix": prefix, "partitions": 2, **more}}
    return write_config(folder, {**config(folder), "bus": bus}), prefix


def test_topics_are_made_once_and_then_as_they_should_be(kafka: Broker, tmp_path: Path) -> None:
    """It is told what was made; a second run makes nothing, and a check never does."""
    path, prefix = written(tmp_path, kafka.address)
    settings = load(path, {})
    names = [prefix + name for name in NAMES]
    assert topics(settings, check=True) == Topics(names, [], [f"{name}: is not there" for name in NAMES])
    assert topics(settings, check=False) == Topics(names, names, [])
    assert topics(settings, check=True) == topics(settings, check=False) == Topics(names, [], [])


def test_what_differs_is_said_and_left_alone(kafka: Broker, tmp_path: Path) -> None:
    """A person must decide: partitions are fixed for a topic's life."""
    path, prefix = written(tmp_path, kafka.address)
    create(KafkaOptions((kafka.address,), prefix=prefix), specs(3, 1 << 20, HOURS)[:1], 1)
    found = topics(load(path, {}), check=False)
    assert found.made == [prefix + name for name in NAMES[1:]]
    assert found.differences[0] == "tightrope.samples: has 3 partitions where 2 should be"


def test_wrong_options_are_named(tmp_path: Path) -> None:
    """Before anything is asked of a broker."""
    path, _ = written(tmp_path, "127.0.0.1:1", client={"linger": 5})
    with pytest.raises(ConfigError, match=r"^bus\.kafka\.client\.linger: the Kafka client has no such option"):
        options_of(load(path, {}))


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    """Every one; relative ones lie beside the configuration."""
    path, _ = written(tmp_path, "127.0.0.1:1", client={"ssl_cafile": "ca.pem", "ssl_keyfile": "/nowhere/key.pem"})
    with pytest.raises(ConfigError) as told:
        options_of(load(path, {}))
    assert told.value.problems == [
        f"bus.kafka.client.ssl_cafile: {tmp_path}/ca.pem: there is no such file",
        "bus.kafka.client.ssl_keyfile: /nowhere/key.pem: there is no such file",
    ]


def test_configuration_without_a_bus_says_what_is_missing(tmp_path: Path) -> None:
    """And what would be right."""
    with pytest.raises(ConfigError, match=r"^bus: is missing; a cluster needs bus: {kafka: {servers: \[host:port\]}}$"):
        options_of(load(write_config(tmp_path, config(tmp_path)), {}))


def test_every_option_of_the_configuration_reaches_the_client(tmp_path: Path) -> None:
    """By its own name."""
    (tmp_path / "p").write_text("secret")
    path, prefix = written(
        tmp_path, "k:9092", password_file="p", client={"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}
    )
    options = options_of(load(path, {}))
    assert options.prefix == prefix
    given = options.client_options(KafkaAdminClient)
    assert (given["security_protocol"], given["sasl_mechanism"]) == ("SASL_SSL", "PLAIN")
    assert given["sasl_plain_password"] == "secret"
