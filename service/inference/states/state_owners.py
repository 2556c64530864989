"""The roles that wrote the latest states, by digests of the states."""

import threading
from collections import OrderedDict
from collections.abc import Iterable

from tightrope.monitors.records import Role

MOST_STATES = 10_000
"""States that are remembered, the latest ones."""


class StateOwners:
    """Remembers which role wrote a state. Any thread may call this."""

    def __init__(self, most: int = MOST_STATES) -> None:
        self._most = most
        self._owners: OrderedDict[bytes, Role] = OrderedDict()
        self._changing = threading.Lock()

    def remember(self, digests: Iterable[bytes], role: Role) -> None:
        """Note that a role wrote these states; the oldest ones are forgotten."""
        with self._changing:
            for digest in digests:
                self._owners[digest] = role
                self._owners.move_to_end(digest)
            while len(self._owners) > self._most:
                self._owners.popitem(last=False)

    def owner(self, digest: bytes) -> Role | None:
        """The role that wrote a state; None if that is not known."""
        return self._owners.get(digest)
