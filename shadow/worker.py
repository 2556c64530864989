"""The worker: reads samples, runs the other model in batches, and publishes comparisons.

Offsets are committed once the broker has acknowledged the comparisons.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tightrope.monitors.intake.hosts import compressed_hosts
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.observations import losses
from tightrope.monitors.records import MODEL_SCOPE, Comparisons, Fault, Role
from tightrope.service.adapters.dead_letters import describe_error, is_records_fault, park
from tightrope.service.adapters.metrics_ports import WorkerMetrics
from tightrope.service.adapters.ports import (
    Archive,
    Bus,
    ComparedBatch,
    NoArchive,
    Record,
    RecordTooLargeError,
    publish_blocking,
    require_generation,
)
from tightrope.service.adapters.prometheus.lag import LagGauge
from tightrope.service.adapters.topics import COMPARISONS, SAMPLES, WORKERS_GROUP, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.comparison import SampleRecord, compare_samples
from tightrope.shadow.inference import WatchedPair, take_cpu

log = logging.getLogger(__name__)

WORKER_POLL_RECORDS = 64
"""Records in one poll; each may hold many samples."""

FLUSH_TIMEOUT_SECONDS = 30.0
"""Time to wait for the acknowledgement of comparisons."""

MAX_OUTPUT_DIMENSIONS = 2
"""Decision outputs are vectors or matrices."""


class Worker:
    """One member of the workers' group; each call of `step` does one round. ``stamp`` gives compared rows the
    probabilities with which they are drawn for a review, where these change from day to day.
    """

    def __init__(
        self,
        bus: Bus,
        watched: Mapping[str, WatchedPair],
        metrics: WorkerMetrics,
        stopping: threading.Event,
        archive: Archive | None = None,
        stamp: Callable[[Comparisons], Comparisons] | None = None,
    ) -> None:
        self._bus = bus
        self._archive = archive or NoArchive()
        self._stamp = stamp
        self._watched = watched
        self._metrics = metrics
        self._stopping = stopping
        self._generation = bus.generation(topic(SAMPLES))
        self._samples = bus.subscribe(topic(SAMPLES), group=WORKERS_GROUP)
        self._lag = LagGauge(metrics, WORKERS_GROUP, self._samples)

    def step(self, timeout: float) -> int:
        """Compare the samples that arrive within ``timeout`` seconds; returns the number of records.

        Raises:
            MadeAnewError: when the topic was made anew: its offsets are others.
        """
        require_generation(self._bus, self._generation, topic(SAMPLES))
        records = self._samples.poll(WORKER_POLL_RECORDS, timeout)
        self._lag.update()
        decoded = [item for record in records if (item := self._decode(record))]
        for model in sorted({item.samples.model for item in decoded}):
            self._compare(model, [item for item in decoded if item.samples.model == model])
        # While stopping, `publish_blocking` may have given up on a record: then nothing is committed.
        if records and not self._stopping.is_set():
            self._bus.flush(FLUSH_TIMEOUT_SECONDS)
            self._samples.commit()
        return len(records)

    def close(self) -> None:
        """Leave the group; other members take over the partitions."""
        self._samples.close()

    def _compare(self, model: str, records: Sequence[SampleRecord]) -> None:
        """Publish the comparisons of one model's records. A record whose comparisons are too large, or which fails
        alone after it failed with others, is parked.
        """
        log_name = self._bus.log
        try:
            batches = [self._stamped(batch) for batch in compare_samples(self._watched[model], records, log_name)]
            outgoing = [(batch, record_codec.encode_comparisons(batch.comparisons)) for batch in batches]
        except Exception as error:
            if not is_records_fault(error):
                raise
            self._halve(model, records, error)
            return
        for batch, encoded in outgoing:
            try:
                publish_blocking(self._bus, topic(COMPARISONS), encoded, model, self._stopping)
            except RecordTooLargeError as error:
                self._split(model, records, error)
                return
            self._count(batch.comparisons)
            self._archive.append(batch)
        self._metrics.record_counts({"shadow_cpu_seconds": take_cpu(self._watched[model], model)})

    def _stamped(self, batch: ComparedBatch) -> ComparedBatch:
        """A batch with the probabilities of its draw for a review."""
        return batch if self._stamp is None else replace(batch, comparisons=self._stamp(batch.comparisons))

    def _halve(self, model: str, records: Sequence[SampleRecord], error: Exception) -> None:
        """Compare both halves of records that failed together; a single one is parked when it fails once more."""
        if len(records) > 1:
            middle = len(records) // 2
            self._compare(model, records[:middle])
            self._compare(model, records[middle:])
            return
        try:
            for batch in compare_samples(self._watched[model], records, self._bus.log):
                record_codec.encode_comparisons(batch.comparisons)
        except Exception as again:
            if not is_records_fault(again):
                raise
            self._park(records[0].record, describe_error(error))
        else:
            self._compare(model, records)

    def _split(self, model: str, records: Sequence[SampleRecord], error: RecordTooLargeError) -> None:
        """Compare record by record. Rows of one record must stay together, because the judge counts them by offset."""
        if len(records) == 1:
            self._park(records[0].record, str(error))
            return
        for item in records:
            self._compare(model, [item])

    def _park(self, record: Record, reason: str) -> None:
        """Count and log a record that cannot be used, and publish it to the topic of dead records."""
        self._metrics.record_dead(record.topic)
        log.warning("%s, offset %d parked: %s", record.topic, record.offset, reason)
        park(self._bus, record, reason, self._stopping)

    def _decode(self, record: Record) -> SampleRecord | None:
        """Decode a record's samples; None where they cannot be used: invalid records are parked, stale ones counted."""
        try:
            samples = record_codec.decode_samples(record.value)
            _check(samples, self._watched)
        except Exception as error:
            if not is_records_fault(error):
                raise
            self._park(record, describe_error(error))
            return None
        if not _has_current_artefacts(samples, self._watched[samples.model]):
            self._metrics.record_dropped(samples.model, "old_artefact", len(samples))
            return None
        return SampleRecord(samples, record, _clock_offset(samples, record))

    def _count(self, batch: Comparisons) -> None:
        self._metrics.observe_batch(len(batch))
        self._metrics.record_hosts(batch.model, Counter(compressed_hosts(batch).tolist()))
        refused = {Role.BASELINE: batch.refused_baseline, Role.COMPRESSED: batch.refused_compressed}
        self._metrics.record_counts(
            {"compared_refusals": {(batch.model, role): int(flags.sum()) for role, flags in refused.items()}}
        )
        member = np.concatenate([np.ones((len(batch), 1), dtype=bool), batch.member], axis=1)
        rows = (np.ones(len(batch), dtype=int), losses(batch), batch.fault != Fault.NONE)
        self._metrics.record_comparisons(
            batch.model, (MODEL_SCOPE, *batch.scopes), *(column @ member.astype(int) for column in rows)
        )


def _has_current_artefacts(samples: SampleBatch, watched: WatchedPair) -> bool:
    """Whether the samples come from the loaded models; shortly after a deployment, some come from the previous ones."""
    digests = samples.baseline_digest, samples.compressed_digest
    return digests == tuple(watched.models[role].digest for role in (Role.BASELINE, Role.COMPRESSED))


def _clock_offset(samples: SampleBatch, record: Record) -> float:
    """Seconds by which the gateway's clock is behind the broker's timestamp, taken from the newest sample; 0 where the
    bus has no timestamps. Gateways' clocks may be wrong.
    """
    return record.time - float(samples.time.max()) if record.time else 0.0


def _check(samples: SampleBatch, watched: Mapping[str, WatchedPair]) -> None:
    """Check that the model is watched here and that rows and tensors fit it.

    Raises:
        WireError: naming the field, its value and the expected one.
    """
    if samples.model not in watched:
        raise WireError(f"model: {samples.model!r} is not watched here")
    pair = watched[samples.model]
    names = {spec.name for spec in pair.models[Role.BASELINE].inputs}
    if set(samples.inputs) != names or (pair.kind is None and pair.output not in samples.outputs):
        raise WireError(f"inputs: {sorted(samples.inputs)}, expected {sorted(names)} and output {pair.output!r}")
    if not len(samples) or not samples.rows.all():
        raise WireError(f"rows: {samples.rows.tolist()[:20]}, expected at least one for each sample")
    if pair.kind is not None:  # its reading has a fault where an output is missing
        return
    output = samples.outputs[pair.output]
    if output.dtype.kind != "f" or output.ndim > MAX_OUTPUT_DIMENSIONS or not output.size:
        raise WireError(
            f"{pair.output}: {output.dtype} of shape {output.shape}, expected floats of shape (rows,) or (rows, n)"
        )
