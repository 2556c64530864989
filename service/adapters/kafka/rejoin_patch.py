"""What the client gets wrong as it joins a group (3.0.12), put right."""

# ruff: noqa: SLF001 - there is no public way to either

from typing import Any

from kafka.structs import MemberState


class Joining:
    """Of one client: what its coordinator asks, and what it was answered."""

    def __init__(self, consumer: Any) -> None:  # noqa: ANN401 - the client ships no types
        self._coordinator = consumer._coordinator
        self._ask = self._coordinator._do_join_and_sync_async
        self._answered: tuple[object, bytes] = None, b""
        self._coordinator._do_join_and_sync_async = self._join_and_sync

    async def _join_and_sync(self) -> bytes:
        """The client throws away an answer that comes between two polls, and asks again: which makes the whole group
        deal anew, and never end where every answer comes so. It stands until the client has taken it.
        """
        generation, assignment = self._answered
        self._answered = None, b""
        if self._coordinator.state is not MemberState.REBALANCING or self._coordinator._generation is not generation:
            assignment = bytes(await self._ask())
        self._answered = self._coordinator._generation, assignment
        return assignment

    def insist(self) -> None:
        """The client forgets a join that changed metadata began, if a poll ends between its two requests: it would read
        nothing for good.
        """
        if self._coordinator.state is MemberState.REBALANCING:
            self._coordinator.request_rejoin()
