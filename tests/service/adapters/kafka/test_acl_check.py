from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from kafka.errors import CoordinatorNotAvailableError, GroupAuthorizationFailedError, TopicAuthorizationFailedError

from tightrope.service.adapters.kafka import acl_check
from tightrope.service.adapters.kafka.acl_check import missing_permissions
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import DESCRIBE_CONFIGS, GROUP, READ, TOPIC, WRITE, Permission
from tightrope.service.adapters.ports import BusUnavailableError

OPTIONS = KafkaOptions(("k:1",), prefix="p-")
NEEDED = [Permission(TOPIC, "a", READ), Permission(TOPIC, "a", DESCRIBE_CONFIGS), Permission(GROUP, "g", READ)]


class Brokers:
    """Answers as the client's administrator gives them: an exception is raised."""

    def __init__(self, topic: Mapping[str, Any] | Exception, group: Mapping[str, Any] | Exception) -> None:
        self._topic = topic
        self._group = group

    def describe_topics(self, names: list[str]) -> list[Mapping[str, Any]]:
        """Return the answer about the only topic."""
        assert names == ["p-a"]
        return [{"name": "p-a", "error_code": 0, **_raised(self._topic)}]

    def describe_groups(self, names: list[str]) -> dict[str, Mapping[str, Any]]:
        """Return the answer about the only group."""
        assert names == ["p-g"]
        return {"p-g": {"error": None, **_raised(self._group)}}


def _raised(answer: Mapping[str, Any] | Exception) -> Mapping[str, Any]:
    if isinstance(answer, Exception):
        raise answer
    return answer


def missing(
    monkeypatch: pytest.MonkeyPatch, topic: Mapping[str, Any] | Exception, group: Mapping[str, Any] | Exception
) -> list[Permission]:
    """Return the permissions that are missing by these answers."""

    @contextmanager
    def client(_: KafkaOptions) -> Iterator[Brokers]:
        yield Brokers(topic, group)

    monkeypatch.setattr(acl_check, "admin_client", client)
    return missing_permissions(OPTIONS, NEEDED)


TOPIC_GRANTED = {"authorized_operations": ["READ", "DESCRIBE", "DESCRIBE_CONFIGS"]}
GROUP_GRANTED = {"authorized_operations": ["READ", "DESCRIBE"]}


def test_granted_permissions_are_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of the client are compared with those of Kafka's tools."""
    assert missing(monkeypatch, TOPIC_GRANTED, GROUP_GRANTED) == []


def test_other_operations_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The brokers answer with what they grant."""
    granted = {"authorized_operations": ["WRITE", "DESCRIBE"]}
    assert missing(monkeypatch, granted, {"authorized_operations": []}) == NEEDED


@pytest.mark.parametrize(
    ("topic", "group"),
    [
        ({"error_code": TopicAuthorizationFailedError.errno}, {"error": "[Error 30] GROUP_AUTHORIZATION_FAILED"}),
        ({"error_code": TopicAuthorizationFailedError.errno}, GroupAuthorizationFailedError("p-g")),
    ],
)
def test_hidden_topic_or_group_grants_nothing(
    monkeypatch: pytest.MonkeyPatch, topic: Mapping[str, Any], group: Mapping[str, Any] | Exception
) -> None:
    """The brokers refuse the question itself, about a group at either of its two steps."""
    assert missing(monkeypatch, topic, group) == NEEDED


@pytest.mark.parametrize("group", [{"error": "[Error 69] GROUP_ID_NOT_FOUND"}, CoordinatorNotAvailableError()])
def test_unknown_is_not_missing(monkeypatch: pytest.MonkeyPatch, group: Mapping[str, Any] | Exception) -> None:
    """A topic or a group that does not exist yet has no answer."""
    assert missing(monkeypatch, {"error_code": 3}, group) == []


def test_brokers_that_do_not_know_the_question_miss_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their answer cannot be read as operations."""
    assert missing(monkeypatch, ValueError("31 is not a valid ACLOperation"), GROUP_GRANTED) == []


def test_unreachable_brokers_are_an_error() -> None:
    """Nothing is known then."""
    with pytest.raises(BusUnavailableError, match=r"Kafka at 127\.0\.0\.1:1: "):
        missing_permissions(KafkaOptions(("127.0.0.1:1",)), [Permission(TOPIC, "a", WRITE)])
