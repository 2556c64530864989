"""The permissions (ACLs) that each process needs on Kafka, and the commands that grant them.

The one source of the table in docs/cluster.md, of `tightrope acls`, of the check of running processes, and of the line
that names a missing permission. On Apache Kafka, Read and Write include Describe, and Write on any topic includes the
permission for an idempotent producer (2.8 and newer).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kafka.errors import AuthorizationError, GroupAuthorizationFailedError, TopicAuthorizationFailedError

from tightrope.service.adapters import topics
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.ports import NotPermittedError

TOPIC, GROUP = "topic", "group"
READ, WRITE, CREATE, DESCRIBE, DESCRIBE_CONFIGS = "Read", "Write", "Create", "Describe", "DescribeConfigs"


class Permission(NamedTuple):
    """An operation on a topic or a consumer group, named without the prefix of the configuration."""

    resource: str
    name: str
    operation: str


def _on_topics(operation: str, *names: str) -> tuple[Permission, ...]:
    return tuple(Permission(TOPIC, topics.topic(name), operation) for name in names)


GATEWAY_PROCESS, PAYLOAD_GATEWAY_PROCESS, WORKER_PROCESS, JUDGE_PROCESS, REVIEW_JUDGE_PROCESS = (
    "gateway",
    "payload-gateway",
    "worker",
    "judge",
    "review-judge",
)

PERMISSIONS: Mapping[str, tuple[Permission, ...]] = {
    GATEWAY_PROCESS: (
        *_on_topics(READ, topics.CONTROL, topics.SNAPSHOTS, topics.EVENTS, topics.INCIDENTS),
        *_on_topics(WRITE, topics.SAMPLES, topics.COMPARISONS, topics.LABELS, topics.CONTROL, topics.EVENTS),
        *_on_topics(WRITE, topics.DEAD),
    ),
    PAYLOAD_GATEWAY_PROCESS: (
        *_on_topics(READ, topics.PAYLOADS),
        Permission(GROUP, topics.INTAKE_GROUP, READ),
        *_on_topics(WRITE, topics.PAYLOADS),
    ),
    WORKER_PROCESS: (
        *_on_topics(READ, topics.SAMPLES),
        Permission(GROUP, topics.WORKERS_GROUP, READ),
        *_on_topics(WRITE, topics.COMPARISONS, topics.DEAD),
    ),
    JUDGE_PROCESS: (
        *_on_topics(READ, topics.COMPARISONS, topics.LABELS, topics.CONTROL, topics.SNAPSHOTS, topics.EVENTS),
        Permission(GROUP, topics.JUDGES_GROUP, READ),
        *_on_topics(WRITE, topics.CONTROL, topics.SNAPSHOTS, topics.EVENTS, topics.DEAD, topics.INCIDENTS),
        *_on_topics(DESCRIBE, topics.SAMPLES),
    ),
    REVIEW_JUDGE_PROCESS: (*_on_topics(READ, topics.SAMPLES), *_on_topics(WRITE, topics.LABELS)),
    "topics": (
        *_on_topics(CREATE, *topics.ALL_TOPICS),
        *_on_topics(DESCRIBE, *topics.ALL_TOPICS),
        *_on_topics(DESCRIBE_CONFIGS, *topics.ALL_TOPICS),
    ),
    "doctor": (
        *_on_topics(READ, topics.CONTROL, topics.SNAPSHOTS, topics.COMPARISONS, topics.DEAD),
        *_on_topics(DESCRIBE, topics.SAMPLES, topics.LABELS, topics.EVENTS, topics.PAYLOADS, topics.INCIDENTS),
        *_on_topics(DESCRIBE_CONFIGS, *topics.ALL_TOPICS),
        *(
            Permission(GROUP, name, DESCRIBE)
            for name in (topics.WORKERS_GROUP, topics.JUDGES_GROUP, topics.INTAKE_GROUP)
        ),
    ),
    "tail": _on_topics(READ, *topics.ALL_TOPICS),
    "labels": _on_topics(WRITE, topics.LABELS),
    "payloads": _on_topics(WRITE, topics.PAYLOADS),
    "autoscaler": (*_on_topics(DESCRIBE, topics.SAMPLES), Permission(GROUP, topics.WORKERS_GROUP, DESCRIBE)),
}
"""The permissions of each process: the commands, programs that write labels or payload events, and an autoscaler of
workers (KEDA), which reads the lag. A gateway with a model that has `payloads` needs those of both gateways; a judge
with a model that has `review` needs those of both judges.
"""


def principal_of(options: KafkaOptions) -> str:
    """The name under which the brokers know the user of these options."""
    client = options.client
    if str(client.get("security_protocol")).startswith("SASL_"):
        return f"User:{client.get('sasl_plain_username', 'USER')}"
    return "User:SUBJECT_OF_THE_CERTIFICATE" if "ssl_certfile" in client else "User:ANONYMOUS"


def _full_names(options: KafkaOptions, permissions: Iterable[Permission]) -> dict[tuple[str, str], list[str]]:
    """The names with the prefix, by resource and operation."""
    names: dict[tuple[str, str], list[str]] = {}
    for resource, name, operation in permissions:
        names.setdefault((resource, operation), []).append(options.prefix + name)
    return names


def grant_commands(options: KafkaOptions, permissions: Iterable[Permission], principal: str = "") -> list[str]:
    """Commands of Kafka's own tool that grant permissions, one for all operations on the same topics or groups."""
    names = _full_names(options, permissions)
    secured = "security_protocol" in options.client
    start = ["kafka-acls.sh", "--bootstrap-server", options.servers[0]]
    start += ["--command-config", "admin.properties"] if secured else []
    start += ["--add", "--allow-principal", f"'{principal or principal_of(options)}'"]
    operations: dict[tuple[str, ...], list[str]] = {}
    for (resource, operation), found in names.items():
        operations.setdefault(tuple(f"--{resource} {name}" for name in found), []).append(f"--operation {operation}")
    return [" ".join([*start, *allowed, *resources]) for resources, allowed in operations.items()]


def denial_text(options: KafkaOptions, permissions: Sequence[Permission]) -> str:
    """One line: the missing permissions, and the commands that grant them."""
    missing = "; ".join(
        f"{operation} on {resource}{'s' * (len(found) > 1)} {', '.join(found)}"
        for (resource, operation), found in _full_names(options, permissions).items()
    )
    commands = " && ".join(grant_commands(options, permissions))
    return f"Kafka at {', '.join(options.servers)}: {principal_of(options)} lacks {missing}; grant it with: {commands}"


def denial(options: KafkaOptions, resource: str, names: Iterable[str], operation: str) -> NotPermittedError:
    """The error for an operation that the brokers refused. The names have the prefix."""
    bare = (name.removeprefix(options.prefix) for name in sorted(names))
    return NotPermittedError(denial_text(options, [Permission(resource, name, operation) for name in bare]))


def denied_topic(options: KafkaOptions, error: AuthorizationError, topic: str) -> str:
    """The topic that an error of the client names, without the prefix; ``topic`` if it names none."""
    if not isinstance(error, TopicAuthorizationFailedError) or not error.args or not error.args[0]:
        return topic
    names = [error.args[0]] if isinstance(error.args[0], str) else sorted(error.args[0])
    bare = [str(name).removeprefix(options.prefix) for name in names]
    return topic if topic in bare else bare[0]


def read_denial(
    options: KafkaOptions, error: Exception, names: Iterable[str], group: str | None
) -> NotPermittedError | None:
    """The permission that a reader of these topics lacks, by an error of the client; None for any other error."""
    if isinstance(error, GroupAuthorizationFailedError) and group is not None:
        return denial(options, GROUP, [options.prefix + group], READ)
    if isinstance(error, TopicAuthorizationFailedError):
        found = error.args[0] if error.args and isinstance(error.args[0], set | frozenset) else names
        return denial(options, TOPIC, found or names, READ)
    return None
