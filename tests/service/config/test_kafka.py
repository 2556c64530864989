"""The configuration of the bus: its errors, files, secrets and environment."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tightrope.service.config.kafka import KafkaSection
from tightrope.service.config.loader import ConfigError, Settings, kafka_instance, kafka_secrets, load

NO_BROKER = "must be one broker as host:port, such as kafka-1:9092 or [::1]:9092, without a scheme"


def loaded(folder: Path, **kafka: object) -> Settings:
    """Load a configuration with these Kafka settings."""
    path = folder / "t.yaml"
    models = {"m": {"baseline": "b.onnx", "compressed": "c.onnx"}}
    YAML(typ="safe").dump({"models": models, "bus": {"kafka": {"servers": ["k:9092"], **kafka}}}, path)
    return load(path, {})


def kafka(folder: Path, **keys: object) -> KafkaSection:
    """The Kafka section with these keys."""
    bus = loaded(folder, **keys).bus
    assert bus is not None
    return bus.kafka


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"servers": []}, "bus.kafka.servers: list should have at least 1 item"),
        ({"servers": ["k"]}, f"bus.kafka.servers.0: {NO_BROKER} (it is 'k')"),
        ({"servers": ["k:9092", "k1:9092,k2:9092"]}, f"bus.kafka.servers.1: {NO_BROKER}"),
        ({"servers": ["SASL_SSL://k1:9093"]}, f"bus.kafka.servers.0: {NO_BROKER}"),
        ({"servers": ["k1:9092 "]}, f"bus.kafka.servers.0: {NO_BROKER}"),
        ({"servers": ["k1:9092\n"]}, f"bus.kafka.servers.0: {NO_BROKER}"),
        ({"servers": ["::1:9092"]}, f"bus.kafka.servers.0: {NO_BROKER}"),
        ({"servers": [""]}, f"bus.kafka.servers.0: {NO_BROKER} (it is '')"),
        ({"servers": ["k:99999"]}, "bus.kafka.servers.0: the port must be 1 to 65535 (it is 'k:99999')"),
        ({"servers": ["[::1]:0"]}, "bus.kafka.servers.0: the port must be 1 to 65535"),
        ({"partitions": 0}, "bus.kafka.partitions: input should be greater than or equal to 1 (it is 0)"),
        ({"brokers": 1}, "bus.kafka.brokers: there is no such key"),
        ({"retention_hours": {"samples": 0}}, "bus.kafka.retention_hours.samples: input should be greater than 0"),
        (
            {"client": {"sasl_plain_password": "p"}},
            "bus.kafka.client: sasl_plain_password is a secret: name its file in bus.kafka.password_file",
        ),
        (
            {"client": {"ssl_password": "p"}},
            "bus.kafka.client: ssl_password is a secret: name its file in bus.kafka.ssl_password_file",
        ),
    ],
)
def test_error_names_the_key(tmp_path: Path, keys: dict[str, object], problem: str) -> None:
    """With the file, the key, and the valid values."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, **keys)
    assert f"{tmp_path / 't.yaml'}: {problem}" in str(caught.value)


def test_brokers_are_names_and_addresses(tmp_path: Path) -> None:
    """Addresses are of both families."""
    servers = ["kafka-1.example.org:9092", "10.0.0.1:1", "[::1]:65535", "[::ffff:10.0.0.1]:9092"]
    assert kafka(tmp_path, servers=servers).servers == servers


def test_bus_defaults_to_a_single_process(tmp_path: Path) -> None:
    """Without the section the bus is in memory."""
    path = tmp_path / "t.yaml"
    YAML(typ="safe").dump({"models": {"m": {"baseline": "b.onnx", "compressed": "c.onnx"}}}, path)
    assert load(path, {}).bus is None


def test_paths_are_relative_to_the_configuration(tmp_path: Path) -> None:
    """Those in the client's options, too; other options stay."""
    section = kafka(tmp_path, password_file="p.txt", client={"ssl_cafile": "ca.pem", "client_id": "x"})
    assert section.password_file == tmp_path / "p.txt"
    assert section.client == {"ssl_cafile": str(tmp_path / "ca.pem"), "client_id": "x"}


def test_secrets_come_from_files_or_the_environment(tmp_path: Path) -> None:
    """A file has precedence; a secret that is not configured is left out."""
    (tmp_path / "p.txt").write_text("from the file\n")
    environ = {"TIGHTROPE_KAFKA_PASSWORD": "one", "TIGHTROPE_KAFKA_SSL_PASSWORD": "two"}
    with_file, without = kafka(tmp_path, password_file="p.txt"), kafka(tmp_path)
    assert kafka_secrets(with_file, environ) == {"sasl_plain_password": "from the file", "ssl_password": "two"}
    assert kafka_secrets(without, environ) == {"sasl_plain_password": "one", "ssl_password": "two"}
    assert kafka_secrets(without, {}) == {}
    with pytest.raises(ConfigError, match=r"bus\.kafka\.ssl_password_file: .*nowhere: No such file"):
        kafka_secrets(kafka(tmp_path, ssl_password_file="nowhere"), {})


def test_environment_names_the_instance(tmp_path: Path) -> None:
    """Processes can share one configuration file."""
    section = kafka(tmp_path, instance="file")
    assert kafka_instance(section, {"TIGHTROPE_INSTANCE": "pod-0"}) == "pod-0"
    assert kafka_instance(section, {}) == "file"


def test_files_of_secrets_are_relative_to_the_configuration(tmp_path: Path) -> None:
    """Records without a signature are refused unless the configuration accepts them."""
    section = kafka(tmp_path, signing={"secret_file": "fleet.secret"}).signing
    assert section is not None
    assert (section.secret_file, section.previous_secret_file) == (tmp_path / "fleet.secret", None)
    assert section.unsigned == "refuse"
    both = kafka(tmp_path, signing={"secret_file": "/run/a", "previous_secret_file": "b", "unsigned": "accept"}).signing
    assert both is not None
    assert (both.secret_file, both.previous_secret_file) == (Path("/run/a"), tmp_path / "b")
    assert both.unsigned == "accept"
    assert kafka(tmp_path).signing is None


@pytest.mark.parametrize(
    ("signing", "problem"),
    [
        ({}, "bus.kafka.signing.secret_file: field required"),
        (
            {"secret_file": "s", "unsigned": "ignore"},
            "bus.kafka.signing.unsigned: input should be 'refuse' or 'accept'",
        ),
        ({"secret_file": "s", "secret": "s"}, "bus.kafka.signing.secret: there is no such key"),
    ],
)
def test_mistakes_of_signing_are_named(tmp_path: Path, signing: dict[str, object], problem: str) -> None:
    """A secret in the configuration itself is refused."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, signing=signing)
    assert f"{tmp_path / 't.yaml'}: {problem}" in str(caught.value)
