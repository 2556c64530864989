"""Walks a chain of events that is still written, a portion at a time, round after round."""

from collections.abc import Callable, Sequence

from tightrope.service.adapters.audit.chain import (
    MOST_PROBLEMS,
    ORIGIN,
    ChainMember,
    Problem,
    StoredChain,
    member_problems,
    members_of,
    seal_problems,
)
from tightrope.service.adapters.audit.seals import AuditKeys, SealKind

WALK_EVENTS = 500
"""Events of a portion: some milliseconds."""

ReadPortion = Callable[[int, int], StoredChain]
"""Reads a number of events, at most, after one with a number, and all seals, as they are at one moment."""


class ChainWalk:
    """Compares the links of a chain. ``problems`` are those of the last round that came to the end, with those that
    this round has found already; ``rounds`` counts the rounds.

    How it works. A portion begins behind the last member of the one before. Retention may delete events on both sides
    of that place, and leave one seal for all of them: then the round begins again.
    """

    def __init__(self, read: ReadPortion, keys: AuditKeys, portion: int = WALK_EVENTS) -> None:
        self.rounds = 0
        self._read, self._keys, self._portion = read, keys, portion
        self._last_round: Sequence[Problem] = ()
        self._begin()

    def _begin(self) -> None:
        self._newest: ChainMember | None = None
        self._start = (0, ORIGIN)
        self._found: list[Problem] = []

    @property
    def problems(self) -> Sequence[Problem]:
        """The problems, in the order of the events."""
        found = dict.fromkeys([*self._last_round, *self._found])
        return sorted(found, key=lambda problem: problem.number)[:MOST_PROBLEMS]

    def step(self) -> StoredChain:
        """Compare the next portion; returns it."""
        number, _ = self._start
        stored = self._read(number, self._portion)
        gone = stored.of(SealKind.GONE)
        if any(seal.first <= number < seal.last for seal in gone):
            self._begin()
            return stored
        is_last = len(stored.events) < self._portion
        end = float("inf") if is_last else stored.events[-1].number
        here = StoredChain(stored.events, [seal for seal in gone if number < seal.first <= end])
        self._compare(members_of(here))
        if is_last:
            self._found += seal_problems(stored, self._newest, self._keys)
            self._last_round, self.rounds = tuple(self._found[:MOST_PROBLEMS]), self.rounds + 1
            self._begin()
        return stored

    def _compare(self, members: Sequence[ChainMember]) -> None:
        if members:
            self._found += member_problems(self._start, members, self._keys)
            self._newest = members[-1]
            self._start = self._newest.last, self._newest.link
