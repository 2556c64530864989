"""The chain of events: what a link is, and the walk that finds where the chain was changed.

A link is SHA-256 over the link before it (32 bytes) and the parts of the event, each after its length (8 bytes, the
highest first). The parts are the number, and the bytes of the event as they are stored.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import TypeAlias

from tightrope.service.adapters.audit.seals import AuditKeys, Seal, SealKind

PART_LENGTH_BYTES = 8

ORIGIN = bytes(32).hex()
"""The link before the first event."""

MOST_PROBLEMS = 20
"""Problems that a walk tells: after the first the others follow from it, mostly."""


def link_of(previous: str, number: int, parts: Iterable[bytes]) -> str:
    """The link of an event, hexadecimal; ``previous`` is the one before it.

    >>> link_of(ORIGIN, 1, [b"a"]) == link_of(ORIGIN, 2, [b"a"])
    False
    """
    hashed = sha256(bytes.fromhex(previous))
    for part in (str(number).encode(), *parts):
        hashed.update(len(part).to_bytes(PART_LENGTH_BYTES, "big"))
        hashed.update(part)
    return hashed.hexdigest()


@dataclass(frozen=True, slots=True)
class LinkedEvent:
    """An event as it is stored, with the link before it and its own; both empty where it has none."""

    number: int
    parts: Sequence[bytes]
    previous: str
    link: str

    @property
    def first(self) -> int:
        """Its number, as a seal has it."""
        return self.number

    @property
    def last(self) -> int:
        """Likewise."""
        return self.number

    @property
    def is_sound(self) -> bool:
        """Whether its link is that of its content."""
        try:
            return self.link == link_of(self.previous, self.number, self.parts)
        except ValueError:  # the link before is no hexadecimal number
            return False


ChainMember: TypeAlias = LinkedEvent | Seal


@dataclass(frozen=True, slots=True)
class Problem:
    """A place at which the chain was changed: the number of the event, and the reason in words."""

    number: int
    text: str

    def __str__(self) -> str:
        return f"event {self.number}: {self.text}"


@dataclass(frozen=True, slots=True)
class StoredChain:
    """All events and seals of one writer, each sorted by number."""

    events: Sequence[LinkedEvent]
    seals: Sequence[Seal]

    @property
    def head(self) -> Seal | None:
        """The newest head."""
        heads = [seal for seal in self.seals if seal.kind is SealKind.HEAD]
        return max(heads, key=lambda seal: seal.last, default=None)

    def of(self, kind: SealKind) -> list[Seal]:
        """The seals of one kind."""
        return [seal for seal in self.seals if seal.kind is kind]


def find_problems(
    stored: StoredChain, keys: AuditKeys, taken_out: Sequence[Seal] = (), start: tuple[int, str] = (0, ORIGIN)
) -> list[Problem]:
    """Walk the chain from its first event to its head; ``taken_out`` are heads that were kept elsewhere, and ``start``
    the number and link after which the chain is kept. The problems are in the order of the events, `MOST_PROBLEMS` at
    most.
    """
    members = members_of(stored)
    found = [
        *member_problems(start, members, keys),
        *seal_problems(stored, members[-1] if members else None, keys),
        *(problem for head in taken_out for problem in _outside_problems(head, members, keys)),
    ]
    return sorted(dict.fromkeys(found), key=lambda problem: problem.number)[:MOST_PROBLEMS]


def members_of(stored: StoredChain) -> list[ChainMember]:
    """The events, and the seals in the place of deleted ones, in their order."""
    members: list[ChainMember] = [*stored.events, *stored.of(SealKind.GONE)]
    return sorted(members, key=lambda member: (member.first, member.last))


def member_problems(start: tuple[int, str], members: Sequence[ChainMember], keys: AuditKeys) -> Iterator[Problem]:
    """The problems of members that should follow the number and link ``start``."""
    return chain.from_iterable(_faults(before, member, keys) for before, member in _pairs(start, members))


def seal_problems(stored: StoredChain, newest: ChainMember | None, keys: AuditKeys) -> Iterator[Problem]:
    """The problems of the head, of breaks, and of events that were found; ``newest`` is the last member."""
    yield from _head_problems(stored, newest, keys)
    for seal in stored.of(SealKind.BREAK):
        yield from _break_problems(seal, keys)
    for seal in stored.of(SealKind.FOUND):
        yield from _found_problems(seal, keys)


def _pairs(start: tuple[int, str], members: Sequence[ChainMember]) -> Iterator[tuple[tuple[int, str], ChainMember]]:
    """Each member with the number and link before it."""
    return zip([start, *((member.last, member.link) for member in members)], members, strict=False)


def _faults(before: tuple[int, str], member: ChainMember, keys: AuditKeys) -> Iterator[Problem]:
    last, link = before
    if member.first > last + 1:
        yield Problem(last + 1, f"missing{_to(last + 1, member.first - 1)}: it was deleted, and not by retention")
    elif member.first <= last:
        yield Problem(member.first, "is here twice")
    if isinstance(member, Seal):
        if not keys.has_signed(member):
            text = f"the signature over the deleted events {member.first} to {member.last} does not hold"
            yield Problem(member.first, text)
    elif not member.is_sound:
        text = "was added without a link" if not member.link else "is not as it was written: a byte was altered"
        yield Problem(member.number, text)
    if member.previous != link and member.first == last + 1:
        yield Problem(member.first, f"does not follow event {last} as that is now: one of both was written anew")


def _to(first: int, last: int) -> str:
    return "" if first == last else f" (and all up to {last})"


def _head_problems(stored: StoredChain, newest: ChainMember | None, keys: AuditKeys) -> Iterator[Problem]:
    head = stored.head
    if head is None:
        if newest is not None:
            yield Problem(newest.last, "is the newest, and no signed head says so: the head was deleted")
        return
    if not keys.has_signed(head):
        yield Problem(head.last, "the signature of the head does not hold: it was altered, or made with another key")
    yield from _beside(head, newest)


def _beside(head: Seal, newest: ChainMember | None) -> Iterator[Problem]:
    last, link = (newest.last, newest.link) if newest else (0, ORIGIN)
    if head.last > last:
        yield Problem(last + 1, f"missing{_to(last + 1, head.last)}: the head says that {head.last} is the newest")
    elif head.last < last:
        yield Problem(head.last + 1, f"was added after the head, which says that {head.last} is the newest")
    elif head.link != link:
        yield Problem(last, "is not the event that the signed head is about: it, or some before it, was written anew")


def _break_problems(seal: Seal, keys: AuditKeys) -> Iterator[Problem]:
    signed = "" if keys.has_signed(seal) else ", and the signature of this note does not hold"
    yield Problem(
        seal.first,
        f"was the newest that Tightrope wrote, and at the next start {seal.last} was, or it differed{signed}",
    )


def _found_problems(seal: Seal, keys: AuditKeys) -> Iterator[Problem]:
    if not keys.has_signed(seal):
        yield Problem(seal.first, "the signature of the note about events without links does not hold")
    elif seal.previous != ORIGIN:
        text = f"was found without a link{_to(seal.first, seal.last)}: by an older Tightrope, or by something else"
        yield Problem(seal.first, text)


def _outside_problems(head: Seal, members: Sequence[ChainMember], keys: AuditKeys) -> Iterator[Problem]:
    """The differences between the chain and a head that was taken out of the machine."""
    if not keys.has_signed(head):
        yield Problem(head.last, "the signature of the head that was given does not hold")
        return
    newest = members[-1].last if members else 0
    if head.last > newest:
        yield Problem(newest + 1, f"missing{_to(newest + 1, head.last)}: the head that was given has {head.last}")
    for member in members:
        if member.last == head.last and member.link != head.link:
            yield Problem(head.last, "is not the event of the head that was given: the trail was written anew")
