import shlex

import pytest
from kafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    UnknownMemberIdError,
)

from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions import acls
from tightrope.service.adapters.kafka.permissions.acls import (
    DESCRIBE,
    GROUP,
    PERMISSIONS,
    READ,
    TOPIC,
    WRITE,
    Permission,
    denial,
    denial_text,
    denied_topic,
    grant_commands,
    principal_of,
    read_denial,
)
from tightrope.service.adapters.topics import ALL_TOPICS, INTAKE_GROUP, JUDGES_GROUP, WORKERS_GROUP, topic

SASL = {"security_protocol": "SASL_SSL", "sasl_plain_username": "worker"}
OPTIONS = KafkaOptions(("k-1:9093", "k-2:9093"), prefix="p-", client=SASL)


def test_permissions_name_topics_and_groups_that_exist() -> None:
    """No process has one twice, and none reads or writes everything but the command that shows any topic."""
    topics, groups = set(map(topic, ALL_TOPICS)), {WORKERS_GROUP, JUDGES_GROUP, INTAKE_GROUP}
    for process, needed in PERMISSIONS.items():
        assert len(set(needed)) == len(needed)
        assert {each.name for each in needed if each.resource == TOPIC} <= topics
        assert {each.name for each in needed if each.resource == GROUP} <= groups
        assert not all(Permission(TOPIC, name, WRITE) in needed for name in topics)
        assert all(Permission(TOPIC, name, READ) in needed for name in topics) is (process == "tail")


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (SASL, "User:worker"),
        ({"security_protocol": "SASL_PLAINTEXT"}, "User:USER"),
        ({"security_protocol": "SSL", "ssl_certfile": "c.pem"}, "User:SUBJECT_OF_THE_CERTIFICATE"),
        ({"security_protocol": "SSL"}, "User:ANONYMOUS"),
        ({}, "User:ANONYMOUS"),
    ],
)
def test_principal_is_the_name_that_the_brokers_know(client: dict[str, object], expected: str) -> None:
    """With a password it is the user; the name in a certificate must be filled in."""
    assert principal_of(KafkaOptions(("k:1",), client=client)) == expected


def test_operations_on_the_same_names_are_one_command() -> None:
    """The commands have the prefix, the user and, for brokers with a login, the file of the administrator."""
    needed = [Permission(TOPIC, "a", READ), Permission(TOPIC, "a", WRITE), Permission(GROUP, "g", READ)]
    start = "kafka-acls.sh --bootstrap-server k-1:9093 --command-config admin.properties --add --allow-principal"
    assert grant_commands(OPTIONS, needed) == [
        f"{start} 'User:worker' --operation Read --operation Write --topic p-a",
        f"{start} 'User:worker' --operation Read --group p-g",
    ]
    (line,) = grant_commands(KafkaOptions(("k:1",)), needed[:1], "User:CN=a b")
    assert "--command-config" not in line
    assert shlex.split(line)[5] == "User:CN=a b"


def test_denial_is_one_line() -> None:
    """It names the brokers, the user, every permission and the commands."""
    needed = [Permission(TOPIC, "a", READ), Permission(TOPIC, "b", READ), Permission(GROUP, "g", READ)]
    line = denial_text(OPTIONS, needed)
    assert line.startswith(
        "Kafka at k-1:9093, k-2:9093: User:worker lacks Read on topics p-a, p-b; Read on group p-g; grant it with: "
    )
    assert line.endswith(" && ".join(grant_commands(OPTIONS, needed)))
    assert "\n" not in line


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TopicAuthorizationFailedError({"p-b"}), Permission(TOPIC, "b", READ)),
        (TopicAuthorizationFailedError(), Permission(TOPIC, "a", READ)),
        (GroupAuthorizationFailedError("p-g"), Permission(GROUP, "g", READ)),
        (GroupAuthorizationFailedError(), Permission(GROUP, "g", READ)),
        (UnknownMemberIdError(), None),
    ],
)
def test_reader_names_what_it_lacks(error: Exception, expected: Permission | None) -> None:
    """The topic of the error, or its own; the group of the reader; nothing for any other error."""
    found = read_denial(OPTIONS, error, ["p-a"], "g")
    assert (found and str(found)) == (expected and denial_text(OPTIONS, [expected]))


def test_reader_without_a_group_lacks_none() -> None:
    """An error about a group is not explained by its topics."""
    assert read_denial(OPTIONS, GroupAuthorizationFailedError("p-g"), ["p-a"], None) is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TopicAuthorizationFailedError("p-b"), "b"),
        (TopicAuthorizationFailedError({"p-b", "p-c"}), "b"),
        (TopicAuthorizationFailedError({"p-a", "p-b"}), "a"),
        (TopicAuthorizationFailedError(), "a"),
        (ClusterAuthorizationFailedError("The producer is not authorized"), "a"),
    ],
)
def test_refused_topic_is_that_of_the_error(error: TopicAuthorizationFailedError, expected: str) -> None:
    """A record may be lost because of another topic; where the error names none, it is the record's own."""
    assert denied_topic(OPTIONS, error, "a") == expected


def test_denial_has_the_names_in_order() -> None:
    """The names come with the prefix, as from the brokers."""
    expected = denial_text(OPTIONS, [Permission(TOPIC, "a", DESCRIBE), Permission(TOPIC, "b", DESCRIBE)])
    assert str(denial(OPTIONS, TOPIC, {"p-b", "p-a"}, acls.DESCRIBE)) == expected
