"""The worker: samples in, the other model in batches, comparisons out. An offset is committed after its output is
safe.
"""

import logging
import threading
from collections.abc import Mapping, Sequence

import numpy as np

from tightrope.monitors.records import MODEL_SCOPE, Comparisons, Fault, Role
from tightrope.monitors.sample_batch import Samples
from tightrope.service.adapters.ports import Archive, Bus, NoArchive, Record, RecordTooLargeError, insist
from tightrope.service.adapters.prometheus.lag import Behind
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import COMPARISONS, DEAD, SAMPLES, WORKERS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.comparison import Taken, compared
from tightrope.shadow.inference import Watched

log = logging.getLogger(__name__)

POLL = 64
"""Records in one poll; each may hold many samples."""

ACKNOWLEDGED_WITHIN = 30.0
"""Seconds to wait until comparisons are safe."""

PARKED = 65_536
"""Bytes that are kept of a record that is too large to be parked whole."""

MATRIX = 2
"""Decision outputs are vectors or matrices."""


class Worker:
    """One member of the workers' group. `step` does one round; whoever runs it decides when to stop."""

    def __init__(
        self,
        bus: Bus,
        watched: Mapping[str, Watched],
        metrics: Metrics,
        stopping: threading.Event,
        archive: Archive | None = None,
    ) -> None:
        self._bus = bus
        self._archive = archive or NoArchive()
        self._watched = watched
        self._metrics = metrics
        self._stopping = stopping
        self._samples = bus.subscribe(topic(SAMPLES), group=WORKERS)
        self._behind = Behind(metrics, WORKERS, self._samples)

    def step(self, timeout: float) -> int:
        """Compare what has arrived, waiting up to ``timeout`` seconds for it; returns the number of records."""
        records = self._samples.poll(POLL, timeout)
        self._behind.look()
        taken = [item for record in records if (item := self._open(record))]
        for model in sorted({item.samples.model for item in taken}):
            self._compare(model, [item for item in taken if item.samples.model == model])
        if records and not self._stopping.is_set():  # told to stop, `insist` may have given up: nothing is committed
            self._bus.flush(ACKNOWLEDGED_WITHIN)
            self._samples.commit()
        return len(records)

    def _compare(self, model: str, taken: Sequence[Taken]) -> None:
        """Publish the comparisons of one model's records; one whose comparisons are too large is parked."""
        for batch in compared(self._watched[model], taken, self._bus.log):
            try:
                insist(
                    self._bus,
                    topic(COMPARISONS),
                    record_codec.encode_comparisons(batch.comparisons),
                    model,
                    self._stopping,
                )
            except RecordTooLargeError as error:
                self._divide(model, taken, error)
                return
            self._count(batch.comparisons)
            self._archive.append(batch)

    def _divide(self, model: str, taken: Sequence[Taken], error: RecordTooLargeError) -> None:
        if len(taken) == 1:
            self._park(taken[0].record, str(error))
            return
        for item in taken:
            self._compare(model, [item])

    def _park(self, record: Record, reason: str) -> None:
        """For people to see, cut where even that is too large; the rest goes on."""
        self._metrics.dead.labels(record.topic).inc()
        log.warning("%s, offset %d parked: %s", record.topic, record.offset, reason)
        where = f"{record.topic}/{record.partition}/{record.offset}: {reason}"[:300]
        try:
            insist(self._bus, topic(DEAD), record.value, where, self._stopping)
        except RecordTooLargeError:
            insist(self._bus, topic(DEAD), record.value[:PARKED], where, self._stopping)

    def close(self) -> None:
        """Leave it to others."""
        self._samples.close()

    def _open(self, record: Record) -> Taken | None:
        """A record's samples, or none: what cannot be used is parked for people to see, and the rest goes on."""
        try:
            samples = record_codec.decode_samples(record.value)
            _check(samples, self._watched)
        except WireError as error:
            self._park(record, str(error))
            return None
        if not _is_of(samples, self._watched[samples.model]):
            self._metrics.dropped(samples.model, "old_artefact", len(samples))
            return None
        return Taken(samples, record, _shift(samples, record))

    def _count(self, batch: Comparisons) -> None:
        self._metrics.batch.observe(len(batch))
        member = np.concatenate([np.ones((len(batch), 1), dtype=bool), batch.member], axis=1)
        rows = (np.ones(len(batch), dtype=int), batch.disagree, batch.fault != Fault.NONE)
        self._metrics.compare(
            batch.model, (MODEL_SCOPE, *batch.scopes), *(column @ member.astype(int) for column in rows)
        )


def _is_of(samples: Samples, watched: Watched) -> bool:
    """Whether they come from the artefacts that are run now: after a deployment some of old ones are on their way."""
    digests = samples.baseline_digest, samples.compressed_digest
    return digests == tuple(watched.models[role].digest for role in (Role.BASELINE, Role.COMPRESSED))


def _shift(samples: Samples, record: Record) -> float:
    """How far the gateway's clock is behind the log's, where the log has one: the newest sample is of the moment in
    which the log took it.
    """
    return record.time - float(samples.time.max()) if record.time else 0.0


def _check(samples: Samples, watched: Mapping[str, Watched]) -> None:
    """Samples must be of a known model, with rows each; their tensors must be what the model takes and gives."""
    if samples.model not in watched:
        raise WireError(f"model: {samples.model!r} is not watched here")
    of = watched[samples.model]
    names = {spec.name for spec in of.models[Role.BASELINE].inputs}
    if set(samples.inputs) != names or of.output not in samples.outputs:
        raise WireError(f"inputs: {sorted(samples.inputs)} where {sorted(names)} and output {of.output!r} should be")
    if not len(samples) or not samples.rows.all():
        raise WireError(f"rows: {samples.rows.tolist()[:20]} where there should be one at least for each sample")
    said = samples.outputs[of.output]
    if said.dtype.kind != "f" or said.ndim > MATRIX or not said.size:
        raise WireError(f"{of.output}: {said.dtype} of shape {said.shape} where floats by rows should be")
