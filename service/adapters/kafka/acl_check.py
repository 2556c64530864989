"""Comparison of the permissions that the brokers grant to this user with those that a process needs.

The brokers say themselves what the asking user may do with a topic or a group that it may describe (KIP-430, in Kafka
since 2.3); nothing is written. What they do not say counts as granted: a topic or a group that does not exist yet, or
brokers that do not know the question.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from kafka.errors import AuthorizationError, GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from tightrope.service.adapters.kafka.admin import admin_client
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import GROUP, TOPIC, Permission

log = logging.getLogger(__name__)

Granted = Mapping[tuple[str, str], frozenset[str]]
"""The granted operations of a resource, by its kind and its full name."""


def missing_permissions(options: KafkaOptions, permissions: Iterable[Permission]) -> list[Permission]:
    """Those of the permissions that the brokers do not grant to the user of these options.

    Raises:
        BusUnavailableError: when Kafka cannot be reached.
    """
    needed = list(permissions)
    names = {kind: sorted({options.prefix + p.name for p in needed if p.resource == kind}) for kind in (TOPIC, GROUP)}
    with admin_client(options) as admin:
        try:
            granted = {**_of_topics(admin, names[TOPIC]), **_of_groups(admin, names[GROUP])}
        except ValueError as error:  # an operation that this client does not know
            log.info("the brokers do not say what this user may do: %s", error)
            return []
    return [p for p in needed if p.operation not in granted.get((p.resource, options.prefix + p.name), {p.operation})]


def _of_topics(admin: Any, names: list[str]) -> Granted:  # noqa: ANN401 - the client ships no types
    granted = {}
    for answer in admin.describe_topics(names) if names else []:
        if answer["error_code"] == TopicAuthorizationFailedError.errno:
            granted[TOPIC, answer["name"]] = frozenset[str]()
        elif not answer["error_code"]:
            granted[TOPIC, answer["name"]] = _operations(answer)
    return granted


def _of_groups(admin: Any, names: list[str]) -> Granted:  # noqa: ANN401 - the client ships no types
    granted = {}
    for name in names:
        try:
            answer = admin.describe_groups([name])[name]
        except AuthorizationError:
            granted[GROUP, name] = frozenset[str]()
            continue
        except KafkaError:  # for example before the first group of these brokers exists
            continue
        if GroupAuthorizationFailedError.message in str(answer["error"]):
            granted[GROUP, name] = frozenset()
        elif not answer["error"]:
            granted[GROUP, name] = _operations(answer)
    return granted


def _operations(answer: Mapping[str, Any]) -> frozenset[str]:
    """The operations by the names of Kafka's tools: DESCRIBE_CONFIGS is DescribeConfigs."""
    return frozenset(str(name).title().replace("_", "") for name in answer["authorized_operations"])
