"""The chains of events on the topic of a cluster: each process that writes events has one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tightrope.service.adapters.audit.chain import LinkedEvent, Problem, StoredChain, find_problems
from tightrope.service.adapters.audit.event_publisher import read_linked_event
from tightrope.service.adapters.audit.seals import AuditKeys, Seal, SealError
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.wire.envelope import WireError


@dataclass(frozen=True, slots=True)
class ClusterTrail:
    """The chain of each writer, the number of events without one, and the records that cannot be read."""

    chains: Mapping[str, StoredChain]
    unchained: int
    unreadable: Sequence[str]


@dataclass(frozen=True, slots=True)
class ComparedEvent(LinkedEvent):
    """An event without its bytes, whose link was compared with them."""

    was_sound: bool

    @property
    def is_sound(self) -> bool:
        """Whether its link was that of its content."""
        return self.was_sound


class ChainCollector:
    """Collects the chains of records that come in any order; one that was delivered twice counts once. ``compact``
    keeps no bytes of events.
    """

    def __init__(self, *, compact: bool = False) -> None:
        self._compact = compact
        self._events: dict[str, dict[tuple[int, str], tuple[LinkedEvent, Seal]]] = {}
        self._unchained, self._unreadable = 0, list[str]()

    def add(self, record: Record) -> None:
        """Add a record of the topic of events."""
        try:
            read = read_linked_event(record.value)
        except (WireError, SealError) as error:
            self._unreadable.append(f"partition {record.partition}, offset {record.offset}: {error}")
            return
        if read is None:
            self._unchained += 1
            return
        event, head = read
        if self._compact:
            event = ComparedEvent(event.number, (), event.previous, event.link, event.is_sound)
        self._events.setdefault(head.writer, {})[event.number, event.link] = event, head

    def trail(self, since: float = float("-inf")) -> ClusterTrail:
        """The chains of the events that were signed ``since`` a time (seconds since the epoch)."""
        chains = {}
        for writer, found in self._events.items():
            own = sorted((pair for pair in found.values() if pair[1].time >= since), key=lambda pair: pair[0].number)
            if own:
                newest = max((head for _, head in own), key=lambda seal: seal.last)
                chains[writer] = StoredChain([event for event, _ in own], [newest])
        return ClusterTrail(chains, self._unchained, tuple(self._unreadable))


def chains_of(records: Iterable[Record]) -> ClusterTrail:
    """The chains that these records are of."""
    collector = ChainCollector()
    for record in records:
        collector.add(record)
    return collector.trail()


def find_cluster_problems(
    trail: ClusterTrail, keys: AuditKeys, taken_out: Sequence[Seal] = ()
) -> tuple[list[Problem], list[str]]:
    """The problems of all chains, and notes about what was deleted, or has no chain."""
    problems, notes = [Problem(0, f"cannot be read: {text}") for text in trail.unreadable], []
    for writer, stored in trail.chains.items():
        first, own = stored.events[0], [head for head in taken_out if head.writer == writer]
        if first.number > 1:
            notes.append(f"writer {writer}: events before {first.number} are gone, by retention or by something else")
        found = find_problems(stored, keys, own, (first.number - 1, first.previous))
        problems += [replace(problem, text=f"{problem.text} (writer {writer})") for problem in found]
    for head in taken_out:
        if head.writer not in trail.chains:
            problems.append(Problem(head.last, f"all events of writer {head.writer} are missing"))
    if trail.unchained:
        notes.append(f"{trail.unchained} events have no chain: members of an older Tightrope wrote them")
    return problems, notes
