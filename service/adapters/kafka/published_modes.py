"""The modes that judges have published, read from the control topic to its end: what the gateways know.

A judge whose snapshot is missing, or older than that, must neither repeat an epoch, because gateways ignore it, nor
give back a scope that was published as safe.
"""

import logging
from collections.abc import Mapping

from tightrope.monitors.plan import State
from tightrope.monitors.records import MODEL_SCOPE, Routes
from tightrope.service.adapters.ports import Bus, LogPartition, LogReset, Record
from tightrope.service.adapters.topics import CONTROL, SAMPLES, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError

log = logging.getLogger(__name__)

MOST_EPOCHS_AHEAD = 1_000
"""Epochs by which one record may pass the one before: a record with more is forged or damaged."""


class PublishedModes:
    """The newest routes of each model in the control topic."""

    def __init__(self, bus: Bus) -> None:
        self._reader = bus.subscribe(topic(CONTROL))
        self._routes: dict[str, Routes] = {}
        self._next: dict[int, int] = {}

    def catch_up(self) -> None:
        """Read the topic to its end.

        Raises:
            BusUnavailableError: when it cannot be reached.
        """
        while self._reader.lag():
            for record in self._reader.poll(1000, 1.0):
                self._next[record.partition] = record.offset + 1
                self._remember(record)

    def position(self, partition: int) -> int:
        """The offset after the last record that was read of a partition."""
        return self._next.get(partition, 0)

    def epoch(self, model: str) -> int:
        """The epoch of the newest routes of a model; -1 without any."""
        return self._routes[model].epoch if model in self._routes else -1

    def returned_scopes(self, state: State, model: str) -> list[str]:
        """The scopes that newer routes than a state's give to the baseline, and the state does not."""
        routes = self._routes.get(model)
        if routes is None or routes.epoch <= state.epoch:
            return []
        safe = {scope for scope, mode in zip(state.scopes, state.modes, strict=True) if mode.safe}
        if state.modes[0].narrow and not (routes.asked and {*routes.asked} <= {*state.modes[0].asked}):
            safe.discard(MODEL_SCOPE)  # the published modes gave more of it to the baseline
        return [scope for scope in routes.safe if scope not in safe and not _is_of_orphans(scope, state)]

    def resets(
        self,
        model: str,
        snapshot: bytes,
        covered: Mapping[LogPartition, int],
        before: Mapping[str, str],
        now: Mapping[str, str],
        ends: Mapping[LogPartition, int],
    ) -> list[LogReset]:
        """The logs that a model's snapshot does not fit: its positions, the samples that its state counts, and the
        published modes. An empty one is lost.
        """
        if not snapshot:
            reason = f"its snapshot is gone, though modes were published (epoch {self.epoch(model)})"
            return [LogReset(topic(SNAPSHOTS), "lost", reason)]
        try:
            state = record_codec.decode_state(snapshot)
        except WireError:
            return misfits(covered, before, now, ends)
        samples = topic(SAMPLES)
        counted = {(samples, number): last + 1 for number, last in state.watermarks.items()}
        own = counted if state.log == now[samples] else {}
        if found := misfits({**covered, **own}, before, now, ends):
            return found
        if back := self.returned_scopes(state, model):
            reason = f"newer modes than its snapshot's were published, with {', '.join(back)} in safe mode"
            return [LogReset(topic(SNAPSHOTS), "older", reason)]
        return []

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()

    def _remember(self, record: Record) -> None:
        """Keep routes that are newer than the known ones, by no more than a judge can have added: one without a state
        began with the clock's seconds.
        """
        try:
            if record_codec.schema_of(record.value) != record_codec.ROUTES_SCHEMA:
                return
            routes = record_codec.decode_routes(record.value)
        except WireError as error:
            log.warning("%s, offset %d skipped: %s", record.topic, record.offset, error)
            return
        known = self._routes.get(routes.model)
        if known is None or known.epoch < routes.epoch <= max(known.epoch, int(record.time)) + MOST_EPOCHS_AHEAD:
            self._routes[routes.model] = routes


def _is_of_orphans(scope: str, state: State) -> bool:
    """Whether the model is safe because of scopes that are gone from the configuration."""
    return scope == MODEL_SCOPE and bool(state.retained.orphans)


def misfits(
    positions: Mapping[LogPartition, int],
    before: Mapping[str, str],
    now: Mapping[str, str],
    ends: Mapping[LogPartition, int],
) -> list[LogReset]:
    """The logs that ``positions`` do not fit, one for each topic: its id ``before`` differs from the one ``now``, or a
    position lies beyond its end. A topic without an id before is as it was.
    """
    found: dict[str, LogReset] = {}
    for name, id_ in before.items():
        if id_ and now.get(name, id_) != id_:
            reason = f"topic {name} was made anew: its id was {id_} and is {now[name]}"
            found[name] = LogReset(name, "made_anew", reason)
    for (name, partition), offset in positions.items():
        end = ends.get((name, partition), 0)
        if name not in found and offset > end:
            reason = f"offset {offset} of topic {name}, partition {partition}, lies beyond its end, {end}"
            found[name] = LogReset(name, "beyond_end", reason)
    return list(found.values())
