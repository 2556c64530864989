"""Two faults of kafka-python 3.0.12 in joining a consumer group, corrected.

How it works. A join takes two requests, JoinGroup and SyncGroup, in the coroutine `_do_join_and_sync_async` of the
client's coordinator, which advances only while `poll` runs. Two things go wrong when a poll ends in the middle:

1. The client discards an answer that arrives between two polls and joins again, which makes the whole group rebalance;
   a group whose answers all arrive so never settles. `_join_and_sync` wraps the coroutine: it keeps the last answer and
   returns it as long as the client's generation is the one the answer belongs to.
2. A join begun because of changed metadata is forgotten: the member stays in the state REBALANCING and reads nothing.
   `restart_lost_join`, called after every poll, requests a new join in that state.

tests/service/test_library_internals.py lists the private names used here.
"""

# ruff: noqa: SLF001 - there is no public way to either

from typing import Any

from kafka.structs import MemberState


class RejoinPatch:
    """The corrected join of one consumer."""

    def __init__(self, consumer: Any) -> None:  # noqa: ANN401 - the client ships no types
        self._coordinator = consumer._coordinator
        self._original = self._coordinator._do_join_and_sync_async
        self._answer: tuple[object, bytes] = None, b""
        self._coordinator._do_join_and_sync_async = self._join_and_sync

    async def _join_and_sync(self) -> bytes:
        """Return the kept answer if it is still valid, else join."""
        generation, assignment = self._answer
        self._answer = None, b""
        if self._coordinator.state is not MemberState.REBALANCING or self._coordinator._generation is not generation:
            assignment = bytes(await self._original())
        self._answer = self._coordinator._generation, assignment
        return assignment

    def restart_lost_join(self) -> None:
        """Request a join while the member is rebalancing: the client may have forgotten the one it began."""
        if self._coordinator.state is MemberState.REBALANCING:
            self._coordinator.request_rejoin()
