"""The chains of events on the topic of a cluster: each process that writes events has one."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from tightrope.service.adapters.audit.chain import LinkedEvent, Problem, StoredChain, find_problems
from tightrope.service.adapters.audit.event_publisher import read_linked_event
from tightrope.service.adapters.audit.seals import AuditKeys, Seal, SealError
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.topics import EVENTS, topic
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.config.loader import Settings
from tightrope.wiring.topics import kafka_options

EVENT_READ_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ClusterTrail:
    """The chain of each writer, the number of events without one, and the records that cannot be read."""

    chains: Mapping[str, StoredChain]
    unchained: int
    unreadable: Sequence[str]


def read_chains(settings: Settings) -> ClusterTrail:
    """The chains on the topic of events.

    Raises:
        BusUnavailableError: when Kafka does not answer.
    """
    options = replace(kafka_options(settings), signing=None)  # events are not signed as records
    records: list[Record] = []
    with closing(KafkaBus(options).subscribe(topic(EVENTS))) as reader:
        while reader.lag():
            records += reader.poll(1000, EVENT_READ_SECONDS)
    return chains_of(records)


def chains_of(records: Iterable[Record]) -> ClusterTrail:
    """The chains that these records are of, in any order; a record that was delivered twice counts once."""
    events: dict[str, dict[tuple[int, str], LinkedEvent]] = {}
    heads: dict[str, Seal] = {}
    unchained, unreadable = 0, []
    for record in records:
        try:
            read = read_linked_event(record.value)
        except (WireError, SealError) as error:
            unreadable.append(f"partition {record.partition}, offset {record.offset}: {error}")
            continue
        if read is None:
            unchained += 1
            continue
        event, head = read
        events.setdefault(head.writer, {})[event.number, event.link] = event
        heads[head.writer] = max(head, heads.get(head.writer, head), key=lambda seal: seal.last)
    chains = {
        writer: StoredChain(sorted(own.values(), key=lambda event: event.number), [heads[writer]])
        for writer, own in events.items()
    }
    return ClusterTrail(chains, unchained, unreadable)


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
