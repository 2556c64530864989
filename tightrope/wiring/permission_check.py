"""The check of a cluster's process over its permissions on Kafka, beside the watch over its topics: at start and every
minute.

Some permissions are needed seldom: to write an event, to park a record. Without the check their lack would show when
they are needed, in the middle of an incident.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from tightrope.service.adapters.kafka.acl_check import missing_permissions
from tightrope.service.adapters.kafka.admin import TopicDescription
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import (
    GATEWAY_PROCESS,
    JUDGE_PROCESS,
    PAYLOAD_GATEWAY_PROCESS,
    PERMISSIONS,
    REVIEW_JUDGE_PROCESS,
    Permission,
    denial_text,
)
from tightrope.service.adapters.ports import BusUnavailableError
from tightrope.service.config.loader import Settings

log = logging.getLogger(__name__)


class PermissionMetrics(Protocol):
    """The metrics of the check."""

    def set_permission_missing(self, resource: str, *, missing: bool) -> None:
        """Show whether this process lacks a permission on a topic or a group."""


def needed_permissions(settings: Settings, process: str) -> tuple[Permission, ...]:
    """The permissions of a process with this configuration."""
    models = settings.models.values()
    more = {
        GATEWAY_PROCESS: PAYLOAD_GATEWAY_PROCESS if any(model.payloads for model in models) else "",
        JUDGE_PROCESS: REVIEW_JUDGE_PROCESS if any(model.review for model in models) else "",
    }
    return PERMISSIONS[process] + PERMISSIONS.get(more.get(process, ""), ())


class PermissionCheck:
    """A listener of `TopicWatch`. ``reason`` is the line about all missing permissions, empty while all are granted."""

    def __init__(
        self,
        options: KafkaOptions,
        needed: Sequence[Permission],
        metrics: PermissionMetrics,
        compare: Callable[[KafkaOptions, Sequence[Permission]], list[Permission]] = missing_permissions,
    ) -> None:
        self.reason = ""
        self._options = options
        self._needed = needed
        self._metrics = metrics
        self._compare = compare

    def __call__(self, described: Mapping[str, TopicDescription]) -> bool:
        """Compare the permissions; returns whether none is missing. Without an answer nothing new is known, and the
        latest reason stays.
        """
        del described
        try:
            missing = self._compare(self._options, self._needed)
        except BusUnavailableError as error:
            log.info("the permissions cannot be compared now: %s", error)
            return False
        lacking = {permission.name for permission in missing}
        for name in sorted({permission.name for permission in self._needed}):
            self._metrics.set_permission_missing(name, missing=name in lacking)
        reason = denial_text(self._options, missing) if missing else ""
        if reason and reason != self.reason:
            log.error("permissions: %s", reason)
        elif self.reason and not reason:
            log.warning("permissions: all of them are granted now")
        self.reason = reason
        return not reason
