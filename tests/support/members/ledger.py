"""The balance of a cluster under load: the fate of every request by its id, and the time without a guard."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.cluster.cluster import Cluster
from tests.support.members.traffic import SentRequest, Traffic
from tightrope.monitors.plan import State
from tightrope.monitors.records import Stream
from tightrope.service.adapters.kafka.snapshot_store import decode_snapshot
from tightrope.service.adapters.topics import DEAD, SNAPSHOTS
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError

SETTLE_TIMEOUT_SECONDS = 45.0
PAUSE_SECONDS = 2.0
"""The most time between two harmful answers of one stretch without a guard."""


@dataclass(frozen=True, slots=True)
class Balance:
    """The outcome of a run. ``stale`` rows were dropped by a worker that has another artefact, ``refused`` ones counted
    by the judge for another plan; ``twice`` are rows that a judge counted again, ``lost`` ones with no known fate.
    ``longest`` and ``unguarded`` are the seconds of the longest stretch in which a harmful model answered, and of all
    of them together; both of the worst model.
    """

    requests: int
    failed: int
    compared: int
    stale: int
    refused: int
    parked: int
    twice: int
    lost: int
    longest: float
    unguarded: float

    @property
    def sound(self) -> bool:
        """Whether no request failed and every row counted once."""
        return not (self.failed or self.parked or self.twice or self.lost)


def balance(path: Path, traffic: Traffic, is_stale: Callable[[SentRequest], bool] = lambda _: False) -> Balance:
    """The balance, once every row has its fate; ``path`` is the configuration of the cluster, ``is_stale`` tells
    whether a worker may have dropped the row of a request because of its artefact.
    """
    cluster, requests = Cluster(path), traffic.requests
    answered = {request.id: request for request in requests if request.served_by}
    deadline = time.monotonic() + SETTLE_TIMEOUT_SECONDS
    while True:
        compared, parked, states = cluster.compared(), _parked_ids(cluster), latest_states(cluster)
        rest = answered.keys() - compared - parked
        stale = {name for name in rest if is_stale(answered[name])}
        judged = sum(map(rows_taken, states.values()))
        if (rest == stale and judged >= len(compared)) or time.monotonic() > deadline:
            break
        time.sleep(1.0)
    return Balance(
        requests=len(requests),
        failed=sum(not request.served_by for request in requests),
        compared=len(compared),
        stale=len(stale),
        refused=sum(state.stale for state in states.values()),
        parked=len(parked),
        twice=max(judged - len(compared), 0),
        lost=len(rest - stale) + max(len(compared) - judged, 0),
        longest=max((max(stretches(traffic, model)) for model in traffic.harm), default=0.0),
        unguarded=max((sum(stretches(traffic, model)) for model in traffic.harm), default=0.0),
    )


def rows_taken(state: State) -> int:
    """The rows that the judges of a model took, each once: judged, in the open tick, or of another plan."""
    pending = state.pending.get(Stream.COMPARISONS)
    return state.seen[Stream.COMPARISONS] + (0 if pending is None else len(pending)) + state.stale


def latest_states(cluster: Cluster) -> dict[str, State]:
    """The latest state of each model."""
    return {
        str(record.key): record_codec.decode_state(decode_snapshot(record.value).state)
        for record in cluster.records(SNAPSHOTS)
    }


def harmful_answers(traffic: Traffic, model: str) -> list[float]:
    """The times at which the compressed model answered a row that it fails."""
    return sorted(
        r.answered for r in traffic.requests if r.model == model and r.harmful and r.served_by == "compressed"
    )


def stretches(traffic: Traffic, model: str) -> list[float]:
    """The lengths of the stretches in which the compressed model answered rows that it fails; the first one begins
    with the harm.
    """
    begin = last = traffic.harm[model]
    lengths = []
    for answer in harmful_answers(traffic, model):
        if answer - last > PAUSE_SECONDS:
            lengths.append(last - begin)
            begin = answer
        last = answer
    return [*lengths, last - begin]


def _parked_ids(cluster: Cluster) -> set[str]:
    """The ids of samples on the dead topic; a record that cannot be read counts by its key."""
    ids: set[str] = set()
    for record in cluster.records(DEAD):
        try:
            ids |= {*record_codec.decode_samples(record.value).request_id}
        except WireError:
            ids.add(str(record.key))
    return ids
