import importlib
import importlib.util

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from tightrope.service.adapters.kafka.options import (
    CHOICES,
    IGNORED_OPTIONS,
    RESERVED_OPTIONS,
    KafkaOptions,
    problems,
)


def test_client_options_reach_the_clients_that_know_them() -> None:
    """Options keep the library's names: each reaches the classes that know it."""
    options = KafkaOptions(("b:9092",), client={"linger_ms": 77, "fetch_min_bytes": 5, "security_protocol": "SSL"})
    producer, consumer, admin = options.producer, options.consumer("g", 1.0), options.admin
    assert producer["linger_ms"] == 77
    assert consumer["fetch_min_bytes"] == 5
    assert "linger_ms" not in consumer
    assert "fetch_min_bytes" not in producer
    assert {each["security_protocol"] for each in (producer, consumer, admin)} == {"SSL"}


def test_options_cannot_override_guarantees() -> None:
    """Settings needed for exact counting override the options."""
    options = KafkaOptions(("b:9092",), prefix="eu-", instance="one", session=7.5, client={"acks": 0})
    assert (options.producer["acks"], options.producer["enable_idempotence"]) == ("all", True)
    consumer = options.consumer("g", 1.0)
    assert (consumer["enable_auto_commit"], consumer["auto_offset_reset"]) == (False, "earliest")
    assert (consumer["group_id"], consumer["group_instance_id"]) == ("eu-g", "one")
    assert consumer["session_timeout_ms"] == 7500
    assert options.consumer(None, 1.0)["group_instance_id"] is None


def test_no_two_processes_are_the_same_static_member() -> None:
    """The broker would exclude one of two members of the same name; without a name all are dynamic members."""
    named = KafkaOptions(("b:9092",), instance="gateway-a")
    found = [named.for_process(place).consumer("g", 1.0)["group_instance_id"] for place in ("1", "2")]
    assert found == ["gateway-a-1", "gateway-a-2"]
    assert named.for_process("1").consumer(None, 1.0)["group_instance_id"] is None
    assert KafkaOptions(("b:9092",)).for_process("1").instance is None


def test_reserved_options_exist_in_the_client() -> None:
    """A renamed option of the library is noticed here."""
    known = {name for kind in (KafkaProducer, KafkaConsumer, KafkaAdminClient) for name in kind.DEFAULT_CONFIG}
    assert known >= RESERVED_OPTIONS


def test_mistakes_are_named_with_key_and_value() -> None:
    """One line each."""
    client = {"acks": 1, "linger": 5, "client_id": "x", "ssl_ciphers": "HIGH", "security_protocol": "SASL_SSL"}
    assert problems(KafkaOptions(("b:9092",), client=client), "bus.kafka") == [
        "bus.kafka.client.acks: is set by Tightrope (it is 1)",
        "bus.kafka.client.linger: the Kafka client has no such option (it is 5)",
        "bus.kafka.client.ssl_ciphers: the Kafka client ignores this option (it is 'HIGH')",
        "bus.kafka.client.sasl_mechanism: is missing; security_protocol needs one, such as SCRAM-SHA-512",
    ]


def test_ignored_options_are_still_ignored() -> None:
    """The library uses them nowhere; once it does, they can be allowed."""
    transport = importlib.import_module("kafka.net.transport").KafkaSSLTransport
    assert set(transport.DEFAULT_CONFIG).isdisjoint(IGNORED_OPTIONS)
    assert set(KafkaProducer.DEFAULT_CONFIG) >= IGNORED_OPTIONS


def test_missing_checksum_library_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the remedy; Kafka would work, at ten times the cost."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    (line,) = problems(KafkaOptions(("b:9092",)), "bus.kafka")
    assert line.startswith("bus.kafka: the package crc32c is missing")
    assert "pip install 'kafka-python[crc32c,lz4,zstd]'" in line


def test_secrets_join_the_other_options() -> None:
    """Secrets become options of the client."""
    options = KafkaOptions(("b:9092",), client={"sasl_plain_username": "u"}).with_client({"sasl_plain_password": "p"})
    assert options.producer["sasl_plain_password"] == "p"
    assert options.producer["sasl_plain_username"] == "u"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("security_protocol", "sasl_ssl", "must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL (it is 'sasl_ssl')"),
        ("sasl_mechanism", "SCRAM", "must be one of AWS_MSK_IAM, GSSAPI, OAUTHBEARER, PLAIN, SCRAM-SHA-256, SCRAM-S"),
        ("compression_type", "zstdd", "must be one of gzip, snappy, lz4, zstd (it is 'zstdd')"),
        ("linger_ms", "5", "must be a number (it is '5')"),
        ("linger_ms", True, "must be a number (it is True)"),
        ("client_id", 5, "must be a text (it is 5)"),
        ("ssl_check_hostname", "no", "must be true or false (it is 'no')"),
        ("acks", "1", "is set by Tightrope (it is '1')"),
    ],
)
def test_value_that_the_client_cannot_use_is_a_mistake(name: str, value: str | int, reason: str) -> None:
    """It is found before the cluster starts, not when a client connects."""
    (line,) = problems(KafkaOptions(("b:9092",), client={name: value}), "bus.kafka")
    assert line.startswith(f"bus.kafka.client.{name}: {reason}")


def test_values_that_the_client_takes_are_no_mistakes() -> None:
    """Every choice, numbers of either kind, and options without a default."""
    for name, choices in CHOICES.items():
        for value in choices:
            client = {"sasl_mechanism": "PLAIN", name: value}
            assert problems(KafkaOptions(("b:9092",), client=client), "bus.kafka") == []
    more = {"linger_ms": 0.5, "consumer_timeout_ms": 1000, "client_rack": "a", "ssl_cafile": "ca", "client_id": "x"}
    assert problems(KafkaOptions(("b:9092",), client={**more, "receive_buffer_bytes": 65536}), "bus.kafka") == []


def test_compressions_are_those_of_the_client() -> None:
    """A new one of the library is noticed here."""
    assert {*CHOICES["compression_type"], None} == {*KafkaProducer._COMPRESSORS}
