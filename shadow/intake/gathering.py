"""Gathers the records of a round: a round for each record that comes would write a page of the state file for each."""

import threading
import time
from collections.abc import Callable

from tightrope.service.adapters.ports import Record, Subscription
from tightrope.shadow.heartbeat import poll_without_heartbeats

JUDGE_POLL_RECORDS = 256
"""Records in one round."""

BUSY_POLL_SECONDS = 0.01
"""Time to wait for records while a label replay is under way, or rows are given up."""

GATHER_SECONDS = 0.05
"""Least time between a round and the next poll: after a pause a record is judged at once."""


class GatheredPolls:
    """Polls for one round after another, not sooner than `GATHER_SECONDS` after a round with few records.

    ``clock`` is monotonic.
    """

    def __init__(
        self, records: Subscription, stopping: threading.Event, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._records = records
        self._stopping = stopping
        self._clock = clock
        self._not_before = float("-inf")

    def poll(self, timeout: float, *, has_work: bool = False) -> list[Record]:
        """The records that arrive within ``timeout`` seconds, or sooner if the judge has work without them; not
        heartbeats.
        """
        timeout = min(timeout, BUSY_POLL_SECONDS) if has_work else timeout
        pause = max(min(self._not_before - self._clock(), timeout), 0.0)
        if pause:
            self._stopping.wait(pause)
        records = poll_without_heartbeats(self._records, JUDGE_POLL_RECORDS, timeout - pause)
        if records:
            is_behind = len(records) >= JUDGE_POLL_RECORDS // 2
            self._not_before = float("-inf") if is_behind else self._clock() + GATHER_SECONDS
        return records
