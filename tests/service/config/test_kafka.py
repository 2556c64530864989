from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tightrope.service.config.loader import ConfigError, Settings, kafka_instance, kafka_secrets, load


def loaded(folder: Path, **kafka: object) -> Settings:
    """A configuration with this Kafka."""
    path = folder / "t.yaml"
    models = {"m": {"baseline": "b.onnx", "compressed": "c.onnx"}}
    YAML(typ="safe").dump({"models": models, "bus": {"kafka": {"servers": ["k:9092"], **kafka}}}, path)
    return load(path, {})


def kafka(folder: Path, **of: object) -> object:
    """Its Kafka."""
    bus = loaded(folder, **of).bus
    assert bus is not None
    return bus.kafka


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"servers": []}, "bus.kafka.servers: list should have at least 1 item"),
        ({"servers": ["k"]}, "bus.kafka.servers.0: string should match pattern"),
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
def test_mistakes_are_named(tmp_path: Path, given: dict[str, object], said: str) -> None:
    """File, key, and what would be right."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, **given)
    assert f"{tmp_path / 't.yaml'}: {said}" in str(caught.value)


def test_without_a_bus_all_is_in_one_process(tmp_path: Path) -> None:
    """The default."""
    path = tmp_path / "t.yaml"
    YAML(typ="safe").dump({"models": {"m": {"baseline": "b.onnx", "compressed": "c.onnx"}}}, path)
    assert load(path, {}).bus is None


def test_files_lie_beside_the_configuration(tmp_path: Path) -> None:
    """Those of the client too; what is no file is left alone."""
    found = kafka(tmp_path, password_file="p.txt", client={"ssl_cafile": "ca.pem", "client_id": "x"})
    assert found.password_file == tmp_path / "p.txt"  # type: ignore[attr-defined]
    assert found.client == {"ssl_cafile": str(tmp_path / "ca.pem"), "client_id": "x"}  # type: ignore[attr-defined]


def test_secrets_come_from_files_or_the_environment(tmp_path: Path) -> None:
    """A file goes first; nothing is asked for that nobody needs."""
    (tmp_path / "p.txt").write_text("from the file\n")
    environ = {"TIGHTROPE_KAFKA_PASSWORD": "one", "TIGHTROPE_KAFKA_SSL_PASSWORD": "two"}
    with_file, without = kafka(tmp_path, password_file="p.txt"), kafka(tmp_path)
    assert kafka_secrets(with_file, environ) == {"sasl_plain_password": "from the file", "ssl_password": "two"}  # type: ignore[arg-type]
    assert kafka_secrets(without, environ) == {"sasl_plain_password": "one", "ssl_password": "two"}  # type: ignore[arg-type]
    assert kafka_secrets(without, {}) == {}  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"bus\.kafka\.ssl_password_file: .*nowhere: No such file"):
        kafka_secrets(kafka(tmp_path, ssl_password_file="nowhere"), {})  # type: ignore[arg-type]


def test_environment_names_the_instance(tmp_path: Path) -> None:
    """Of processes that share one file."""
    found = kafka(tmp_path, instance="file")
    assert kafka_instance(found, {"TIGHTROPE_INSTANCE": "pod-0"}) == "pod-0"  # type: ignore[arg-type]
    assert kafka_instance(found, {}) == "file"  # type: ignore[arg-type]
