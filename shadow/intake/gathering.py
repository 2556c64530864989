"""Gathers the records of a round: a round for each record that comes would write a page of the state file for each."""

import threading
import time
from collections.abc import Callable, Mapping

from tightrope.service.adapters.ports import LogPartition, Record, Subscription
from tightrope.shadow.heartbeat import poll_without_heartbeats

JUDGE_POLL_RECORDS = 256
"""Records in one round."""

BUSY_POLL_SECONDS = 0.01
"""Time to wait for records while a label replay is under way, or rows are given up."""

GATHER_SECONDS, MAX_GATHER_SECONDS = 0.05, 0.25
"""Least and most time between the starts of two rounds with few records: after a pause a record is judged at once."""

MAX_ROUND_SHARE = 0.1
"""The part of the time that rounds with few records may take: a round costs almost as much with few rows as with many,
and an embedded judge shares its interpreter with the answers.
"""


class GatheredPolls:
    """Polls for one round after another; after one with few records not sooner than `GATHER_SECONDS` after its start,
    or later if it took more than `MAX_ROUND_SHARE` of that.

    ``clock`` is monotonic.
    """

    def __init__(
        self, records: Subscription, stopping: threading.Event, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._records = records
        self._stopping = stopping
        self._clock = clock
        self._began: float | None = None
        self._not_before = float("-inf")

    def poll(self, timeout: float, *, has_work: bool = False) -> list[Record]:
        """The records that arrive within ``timeout`` seconds, or sooner if the judge has work without them; not
        heartbeats.
        """
        self._end_round()
        timeout = min(timeout, BUSY_POLL_SECONDS) if has_work else timeout
        pause = max(min(self._not_before - self._clock(), timeout), 0.0)
        if pause:
            self._stopping.wait(pause)
        records = poll_without_heartbeats(self._records, JUDGE_POLL_RECORDS, timeout - pause)
        if records:
            is_behind = len(records) >= JUDGE_POLL_RECORDS // 2
            self._began, self._not_before = None if is_behind else self._clock(), float("-inf")
        return records

    def _end_round(self) -> None:
        """Decide when the next round begins, if one with few records has ended."""
        if self._began is not None:
            share = (self._clock() - self._began) / MAX_ROUND_SHARE
            self._not_before = self._began + min(max(share, GATHER_SECONDS), MAX_GATHER_SECONDS)
            self._began = None


def is_new(record: Record, positions: Mapping[str, Mapping[LogPartition, int]]) -> bool:
    """Whether the record lies beyond the position that its model's snapshot covers."""
    covered = positions.get((record.key or "").partition("/")[0], {})
    return record.offset >= covered.get((record.topic, record.partition), 0)
