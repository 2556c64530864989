"""A walk names the event at which a chain was changed, and is silent about one that was not."""

from dataclasses import replace

from tightrope.service.adapters.audit.chain import (
    MOST_PROBLEMS,
    ORIGIN,
    LinkedEvent,
    StoredChain,
    find_problems,
    link_of,
)
from tightrope.service.adapters.audit.seals import AuditKeys, Seal, SealKind

KEYS = AuditKeys(bytes(32))


def chain(count: int) -> StoredChain:
    """A chain of events with its head."""
    events, link = list[LinkedEvent](), ORIGIN
    for number in range(1, count + 1):
        parts = (f"event {number}".encode(),)
        events.append(LinkedEvent(number, parts, link, link := link_of(link, number, parts)))
    return StoredChain(events, [KEYS.sign(Seal(SealKind.HEAD, 1, count, ORIGIN, link, 0.0))])


def texts(stored: StoredChain, *heads: Seal) -> list[str]:
    """The problems in words."""
    return [str(problem) for problem in find_problems(stored, KEYS, heads)]


def test_sound_chain_has_no_problem() -> None:
    """Nor has a trail without events."""
    assert texts(chain(5)) == texts(StoredChain((), ())) == []


def test_parts_have_their_lengths() -> None:
    """Bytes that move from one part to the next make another link."""
    assert link_of(ORIGIN, 1, [b"ab", b"c"]) != link_of(ORIGIN, 1, [b"a", b"bc"])


def test_altered_event_is_named() -> None:
    """Its neighbours are not."""
    stored = chain(5)
    events = [replace(one, parts=(b"else",)) if one.number == 3 else one for one in stored.events]
    assert texts(replace(stored, events=events)) == ["event 3: is not as it was written: a byte was altered"]


def test_missing_events_are_named_as_one_gap() -> None:
    """In the middle, and at the end, where the head tells it."""
    stored = chain(6)
    assert texts(replace(stored, events=[*stored.events[:1], *stored.events[3:]])) == [
        "event 2: missing (and all up to 3): it was deleted, and not by retention"
    ]
    assert texts(replace(stored, events=stored.events[:4])) == [
        "event 5: missing (and all up to 6): the head says that 6 is the newest"
    ]


def test_event_that_is_here_twice_is_named() -> None:
    """As where an index was dropped."""
    stored = chain(3)
    assert texts(replace(stored, events=[*stored.events, stored.events[1]])) == ["event 2: is here twice"]


def test_without_its_head_a_chain_proves_nothing() -> None:
    """A head of another key proves nothing either."""
    stored = chain(3)
    assert texts(replace(stored, seals=())) == [
        "event 3: is the newest, and no signed head says so: the head was deleted"
    ]
    assert [str(one) for one in find_problems(stored, AuditKeys(b"\1" * 32))] == [
        "event 3: the signature of the head does not hold: it was altered, or made with another key"
    ]


def test_checkpoint_stands_for_the_events_that_it_names() -> None:
    """Not for one more."""
    stored = chain(6)
    gone = Seal(SealKind.GONE, 1, 3, ORIGIN, stored.events[2].link, 0.0)
    pruned = StoredChain(stored.events[3:], [*stored.seals, KEYS.sign(gone)])
    assert texts(pruned) == []
    forged = replace(pruned, seals=[*stored.seals, gone])
    assert texts(forged) == ["event 1: the signature over the deleted events 1 to 3 does not hold"]
    assert texts(replace(pruned, events=stored.events[4:]))[0].startswith("event 4: missing")


def test_head_from_elsewhere_is_compared_where_its_event_is() -> None:
    """An older one fits a longer chain; one of another chain does not."""
    stored, older = chain(6), chain(4)
    assert texts(stored, *older.seals) == []
    assert texts(older, *stored.seals) == ["event 5: missing (and all up to 6): the head that was given has 6"]
    other = KEYS.sign(Seal(SealKind.HEAD, 1, 4, ORIGIN, "00" * 32, 0.0))
    assert texts(stored, other) == ["event 4: is not the event of the head that was given: the trail was written anew"]
    assert texts(stored, replace(other, last=3)) == ["event 3: the signature of the head that was given does not hold"]


def test_notes_of_the_program_are_problems_where_they_must() -> None:
    """A break is; events of an older Tightrope at the start of the chain are not, later ones are."""
    stored = chain(6)
    seals = [
        KEYS.sign(Seal(SealKind.BREAK, 2, 3, ORIGIN, "", 0.0)),
        KEYS.sign(Seal(SealKind.FOUND, 1, 2, ORIGIN, "", 0.0)),
        KEYS.sign(Seal(SealKind.FOUND, 4, 5, stored.events[2].link, "", 0.0)),
        Seal(SealKind.FOUND, 6, 6, "", "", 0.0),
    ]
    assert texts(replace(stored, seals=[*stored.seals, *seals])) == [
        "event 2: was the newest that Tightrope wrote, and at the next start 3 was, or it differed",
        "event 4: was found without a link (and all up to 5): by an older Tightrope, or by something else",
        "event 6: the signature of the note about events without links does not hold",
    ]


def test_problems_are_limited() -> None:
    """The others follow from the first, mostly."""
    stored = chain(100)
    events = [replace(one, parts=(b"else",)) for one in stored.events]
    assert len(texts(replace(stored, events=events))) == MOST_PROBLEMS
