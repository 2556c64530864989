"""A look at a running Kafka that changes nothing: consumer groups with their lag, and records without parking any."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    AuthorizationError,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    NotCoordinatorError,
)

from tightrope.service.adapters.kafka.admin import admin_client
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import DESCRIBE, GROUP, denial
from tightrope.service.adapters.kafka.record_filter import RecordFilter
from tightrope.service.adapters.kafka.signature import SignatureCheck
from tightrope.service.adapters.ports import LogPartition, Record

COORDINATOR_SECONDS = 5.0
"""Longest time to wait for a coordinator that reads its groups, after the start of a broker."""

NO_MEMBERS = ("Dead", "Empty")
"""States of a group without members."""


@dataclass(frozen=True, slots=True)
class GroupView:
    """A consumer group: its state, a name for each member, how many partitions they have together, and how many records
    of each partition it has not read. ``beyond`` are partitions with a committed offset beyond their end.
    """

    state: str
    members: tuple[str, ...] = ()
    assigned: int = 0
    lag: Mapping[LogPartition, int] = field(default_factory=dict)
    beyond: tuple[LogPartition, ...] = ()

    @property
    def has_members(self) -> bool:
        """Whether a process reads for the group."""
        return self.state not in NO_MEMBERS and bool(self.members)


class SilentFilter(RecordFilter):
    """A filter of readers that only look: records without a valid signature are counted, not parked."""

    def __init__(self, options: KafkaOptions) -> None:
        self.refused: dict[tuple[str, str], int] = {}
        super().__init__(options, self._remember)

    def _remember(self, name: str, result: str) -> None:
        self.refused[name, result] = self.refused.get((name, result), 0) + 1

    def _park(self, record: Record, result: SignatureCheck) -> None:
        """Leave the record where it is."""

    def _log_refusal(self, record: Record, result: SignatureCheck) -> None:
        """Log nothing: the caller tells it."""


def read_group(options: KafkaOptions, name: str, topics: Iterable[str], partitions: Mapping[str, int]) -> GroupView:
    """A group that reads these topics, with their numbers of partitions.

    Raises:
        BusUnavailableError: when Kafka cannot be reached, or refuses.
    """
    full = options.prefix + name
    sources = [TopicPartition(options.prefix + t, p) for t in topics for p in range(partitions.get(t, 0))]
    with admin_client(options) as admin:
        try:
            group, committed = _group(admin, full)
        except AuthorizationError as error:
            raise denial(options, GROUP, [full], DESCRIBE) from error
        ends = _offsets(admin, sources, OffsetSpec.LATEST)
        starts = _offsets(admin, sources, OffsetSpec.EARLIEST)
    assigned = [member["member_assignment"] for member in group["members"]]
    return GroupView(
        str(group["group_state"]),
        tuple(str(member["group_instance_id"] or member["client_id"]) for member in group["members"]),
        sum(len(each["partitions"]) for one in assigned if one for each in one["assigned_partitions"]),
        {_logical(options, s): max(0, end - committed.get(s, starts.get(s, 0))) for s, end in ends.items()},
        tuple(_logical(options, s) for s, end in ends.items() if committed.get(s, 0) > end),
    )


def _group(admin: Any, name: str) -> tuple[dict[str, Any], dict[TopicPartition, int]]:  # noqa: ANN401 - no types
    """The description of a group, and its committed offsets. Brokers on which no group ever was have no coordinator."""
    deadline = time.monotonic() + COORDINATOR_SECONDS
    while True:
        try:
            group = _described(admin, name)
            offsets = admin.list_group_offsets([name]).get(name, {})
        except CoordinatorNotAvailableError:
            return {"group_state": NO_MEMBERS[0], "members": []}, {}
        except (CoordinatorLoadInProgressError, NotCoordinatorError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return group, {source: answer.offset for source, answer in offsets.items() if answer.offset >= 0}


def _described(admin: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - no types
    """The description of a group; the client returns its error as a text."""
    group: dict[str, Any] = admin.describe_groups([name])[name]
    error = str(group["error"] or "")
    for kind in (CoordinatorLoadInProgressError, NotCoordinatorError, GroupAuthorizationFailedError):
        if kind.__name__ in error:
            raise kind(error)
    return group


def _offsets(admin: Any, sources: Sequence[TopicPartition], spec: OffsetSpec) -> dict[TopicPartition, int]:  # noqa: ANN401 - no types
    answers = admin.list_partition_offsets(dict.fromkeys(sources, spec)) if sources else {}
    return {source: int(answer.offset) for source, answer in answers.items()}


def _logical(options: KafkaOptions, source: TopicPartition) -> LogPartition:
    return source.topic.removeprefix(options.prefix), source.partition
