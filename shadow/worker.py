"""The worker: samples in, the other model in batches, comparisons out. An offset is committed after its output is
safe.
"""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from monitors.compare import Decision, Reading, Scale, failed, pair, read
from monitors.records import MODEL_SCOPE, Comparisons, Fault, Floats, Role, Sample, Tensors
from service.adapters import wire
from service.adapters.metrics import Metrics
from service.adapters.ports import Archive, Bus, Compared, Model, NoArchive, Record, RunFailedError, insist
from service.adapters.topics import COMPARISONS, DEAD, SAMPLES, WORKERS, topic

log = logging.getLogger(__name__)

POLL = 64
"""Records in one poll; each may hold many samples."""

MOST_ROWS = 1024
"""Rows in one run of the shadow model."""

ACKNOWLEDGED_WITHIN = 30.0
"""Seconds to wait until comparisons are safe."""

MATRIX = 2
"""Decision outputs are vectors or matrices."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What a worker needs of one pair. ``free`` says whether the first dimension is free, so that samples can be
    batched; of ``noise_share`` of the samples the baseline is asked twice.
    """

    models: Mapping[Role, Model]
    decision: Decision
    output: str
    free: bool
    noise_share: float = 0.0


@dataclass(frozen=True, slots=True)
class _Taken:
    """One sample with the place it came from."""

    sample: Sample
    record: Record


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

    def step(self, timeout: float) -> int:
        """Compare what has arrived, waiting up to ``timeout`` seconds for it; returns the number of records."""
        records = self._samples.poll(POLL, timeout)
        self._metrics.lag.labels(WORKERS).set(self._samples.lag())
        taken = [item for record in records for item in self._open(record)]
        for model in sorted({item.sample.model for item in taken}):
            mine = [item for item in taken if item.sample.model == model]
            for batch in self._compare(self._watched[model], mine):
                insist(self._bus, topic(COMPARISONS), wire.encode_comparisons(batch.comparisons), model, self._stopping)
                self._count(batch.comparisons)
                self._archive.append(batch)
        if records and not self._stopping.is_set():  # told to stop, `insist` may have given up: nothing is committed
            self._bus.flush(ACKNOWLEDGED_WITHIN)
            self._samples.commit()
        return len(records)

    def _open(self, record: Record) -> list[_Taken]:
        """A record's samples, or none: what cannot be used is parked for people to see, and the rest goes on."""
        try:
            samples = wire.decode_samples(record.value)
            _check(samples, self._watched)
        except wire.WireError as error:
            self._metrics.dead.labels(record.topic).inc()
            log.warning("%s, offset %d parked: %s", record.topic, record.offset, error)
            insist(self._bus, topic(DEAD), record.value, str(error)[:200], self._stopping)
            return []
        return [_Taken(sample, record) for sample in samples]

    def _count(self, batch: Comparisons) -> None:
        member = np.concatenate([np.ones((len(batch), 1), dtype=bool), batch.member], axis=1)
        rows = (np.ones(len(batch), dtype=int), batch.disagree, batch.fault != Fault.NONE)
        self._metrics.compare(
            batch.model, (MODEL_SCOPE, *batch.scopes), *(column @ member.astype(int) for column in rows)
        )

    def _compare(self, watched: Watched, taken: Sequence[_Taken]) -> Iterator[Compared]:
        """Comparisons of one model's samples, in the order of the log; one batch for each pair of artefacts."""
        readings = self._readings(watched, taken)
        for _, items in groupby(zip(taken, readings, strict=True), key=lambda item: item[0].sample.kind):
            part = list(items)
            yield _pair(watched, [taken for taken, _ in part], [shadow for _, shadow in part], self._bus.log)

    def _readings(self, watched: Watched, taken: Sequence[_Taken]) -> list[Reading]:
        """What the model that did not answer says to each sample; samples that can share a run do."""
        readings: dict[int, Reading] = {}
        runs: dict[object, list[int]] = {}
        for index, item in enumerate(taken):
            alone = index if not watched.free else 0
            runs.setdefault((item.sample.served_by, alone, _layout(item.sample.inputs)), []).append(index)
        for indexes in runs.values():
            for part in _parts(indexes, [len(taken[i].sample.member) for i in indexes]):
                shadows = _run(watched, [taken[i].sample for i in part])
                readings |= dict(zip(part, shadows, strict=True))
        return [readings[index] for index in range(len(taken))]


def _check(samples: Sequence[Sample], watched: Mapping[str, Watched]) -> None:
    """Samples of one record must be sound, and for each model of one pair of artefacts: they are counted as one."""
    for sample in samples:
        _check_one(sample, watched)
    if len({(sample.model, sample.kind) for sample in samples}) > len({sample.model for sample in samples}):
        raise wire.WireError("samples: of several pairs of artefacts in one record")


def _check_one(sample: Sample, watched: Mapping[str, Watched]) -> None:
    """A sample must be of a known model and self-consistent; its tensors must be what the model takes."""
    if sample.model not in watched:
        raise wire.WireError(f"model: {sample.model!r} is not watched here")
    of = watched[sample.model]
    rows = len(sample.member)
    names = {spec.name for spec in of.models[Role.BASELINE].inputs}
    if set(sample.inputs) != names or of.output not in sample.outputs:
        raise wire.WireError(
            f"inputs: {sorted(sample.inputs)} where {sorted(names)} and output {of.output!r} should be"
        )
    for name, tensor in (*sample.inputs.items(), (of.output, sample.outputs[of.output])):
        if not tensor.ndim or len(tensor) != rows or not rows:
            raise wire.WireError(f"{name}: shape {tensor.shape} where {rows} rows should be")
    said = sample.outputs[of.output]
    if said.dtype.kind != "f" or said.ndim > MATRIX or not said.size:
        raise wire.WireError(f"{of.output}: {said.dtype} of shape {said.shape} where floats by rows should be")


def _layout(inputs: Tensors) -> tuple[object, ...]:
    return tuple((name, tensor.dtype.str, tensor.shape[1:]) for name, tensor in sorted(inputs.items()))


def _parts(indexes: Sequence[int], rows: Sequence[int]) -> Iterator[list[int]]:
    """Cut into runs of at most `MOST_ROWS` rows, a larger sample alone."""
    part: list[int] = []
    size = 0
    for index, count in zip(indexes, rows, strict=True):
        if part and size + count > MOST_ROWS:
            yield part
            part, size = [], 0
        part.append(index)
        size += count
    if part:
        yield part


def _run(watched: Watched, samples: Sequence[Sample]) -> list[Reading]:
    """One run of the shadow for samples alike. If it fails, each is asked alone: bad input costs nobody else
    anything.
    """
    role = samples[0].served_by.other
    inputs = {name: np.concatenate([s.inputs[name] for s in samples]) for name in samples[0].inputs}
    rows = [len(sample.member) for sample in samples]
    try:
        reading = _read(watched, role, inputs, sum(rows))
    except RunFailedError as error:
        if len(samples) > 1:
            return [_run(watched, [sample])[0] for sample in samples]
        log.warning("the %s model could not answer the sample %s: %s", role, samples[0].request_id, error)
        return [failed(read(samples[0].outputs[watched.output], watched.decision.scale))]
    return _split(reading, rows)


def _split(reading: Reading, rows: Sequence[int]) -> list[Reading]:
    """The reading of several samples, sample by sample."""
    ends = np.cumsum(rows)[:-1]
    parts = zip(np.split(reading.values, ends), np.split(reading.fault, ends), strict=True)
    return [Reading(values, fault) for values, fault in parts]


def _read(watched: Watched, role: Role, inputs: Tensors, rows: int) -> Reading:
    output = watched.models[role].run(inputs, [watched.output])[watched.output]
    if not output.ndim or len(output) != rows:
        raise RunFailedError(f"{watched.output}: shape {output.shape} for {rows} rows")
    return read(output, watched.decision.scale)


def _pair(watched: Watched, taken: Sequence[_Taken], shadows: Sequence[Reading], log_name: str) -> Compared:
    """All columns of one batch, and what they were made of."""
    samples = [item.sample for item in taken]
    rows = [len(sample.member) for sample in samples]
    by_baseline = np.repeat([sample.served_by is Role.BASELINE for sample in samples], rows)
    primary = _primary([sample.outputs[watched.output] for sample in samples], rows, watched.decision.scale)
    baseline, compressed = _by_role(primary, shadows, samples)
    paired = pair(baseline, compressed, watched.decision)

    comparisons = Comparisons(
        model=samples[0].model,
        baseline_digest=samples[0].baseline_digest,
        compressed_digest=samples[0].compressed_digest,
        log=log_name,
        scopes=samples[0].scopes,
        partition=np.repeat([item.record.partition for item in taken], rows),
        offset=np.repeat([item.record.offset for item in taken], rows),
        time=np.repeat([sample.time for sample in samples], rows),
        request_id=tuple(s.request_id for s, count in zip(samples, rows, strict=True) for _ in range(count)),
        served_by_baseline=by_baseline,
        member=np.concatenate([sample.member for sample in samples]),
        draw=np.repeat([sample.draw for sample in samples], rows),
        inclusion=np.repeat([sample.inclusion for sample in samples], rows),
        twin=np.concatenate([_twins(sample) for sample in samples]),
        seconds=np.repeat([sample.seconds for sample in samples], rows),
        self_disagree=_contradictions(watched, samples, baseline),
        correct_baseline=np.full(len(by_baseline), np.nan),
        correct_compressed=np.full(len(by_baseline), np.nan),
        **{name: getattr(paired, name) for name in paired.__dataclass_fields__},
    )
    decided = {Role.BASELINE: _decided(baseline, watched), Role.COMPRESSED: _decided(compressed, watched)}
    return Compared(comparisons, [sample.inputs for sample in samples], decided)


def _twins(sample: Sample) -> NDArray[np.uint64]:
    """A hash of each row's input, never 0, (rows,)."""
    rows = zip(*(tensor for _, tensor in sorted(sample.inputs.items())), strict=True)
    digests = [blake2b(b"".join(_bytes(part) for part in row), digest_size=8).digest() for row in rows]
    return np.maximum(np.frombuffer(b"".join(digests), dtype="<u8"), 1)


def _bytes(part: NDArray[np.generic]) -> bytes:
    array = np.asarray(part)
    return array.tobytes() if array.dtype != object else repr(array.tolist()).encode()


def _contradictions(watched: Watched, samples: Sequence[Sample], baseline: Reading) -> Floats:
    """1 where the baseline decides otherwise when a sample is run again, alone; NaN for rows that are not, (rows,)."""
    found = np.full(len(baseline.fault), np.nan)
    end = 0
    for sample in samples:
        begin, end = end, end + len(sample.member)
        if sample.draw >= watched.noise_share * sample.inclusion:
            continue
        first = Reading(baseline.values[begin:end], baseline.fault[begin:end])
        try:
            again = _read(watched, Role.BASELINE, sample.inputs, end - begin)
        except RunFailedError:
            continue
        both = pair(first, again, watched.decision)
        found[begin:end] = np.where(both.fault == Fault.NONE, both.disagree, np.nan)
    return found


def _decided(reading: Reading, watched: Watched) -> Floats:
    """(rows,) the class decided for, or the first value of a regression; NaN where the row could not be read."""
    if watched.decision.scale is Scale.REGRESSION:
        return reading.values[:, 0]
    return np.where(reading.fault == Fault.NONE, reading.values.argmax(axis=1), np.nan)


def _primary(outputs: Sequence[NDArray[np.generic]], rows: Sequence[int], scale: Scale) -> list[Reading]:
    """What the models that answered said, sample by sample: read at once where all look alike."""
    if len({(output.dtype, output.shape[1:]) for output in outputs}) > 1:
        return [read(output, scale) for output in outputs]
    return _split(read(np.concatenate(outputs), scale), rows)


def _by_role(
    primary: Sequence[Reading], shadows: Sequence[Reading], samples: Sequence[Sample]
) -> tuple[Reading, Reading]:
    """The same rows as the baseline and as the compressed model read them."""
    served = [
        (p, _fit(s, p)) if sample.served_by is Role.BASELINE else (_fit(s, p), p)
        for p, s, sample in zip(primary, shadows, samples, strict=True)
    ]
    width = max(reading.values.shape[1] for reading in primary)
    return _stack([baseline for baseline, _ in served], width), _stack([compressed for _, compressed in served], width)


def _fit(shadow: Reading, primary: Reading) -> Reading:
    """The shadow's reading. With another number of classes than the primary's it cannot be paired: a fault."""
    if shadow.values.shape == primary.values.shape:
        return shadow
    return Reading(np.full_like(primary.values, np.nan), np.full_like(primary.fault, Fault.OUT_OF_RANGE))


def _stack(readings: Sequence[Reading], width: int) -> Reading:
    """Rows one below the other; fewer classes than ``width`` are filled up with zeros, which changes no figure."""
    values = [
        r.values if r.values.shape[1] == width else np.pad(r.values, ((0, 0), (0, width - r.values.shape[1])))
        for r in readings
    ]
    return Reading(np.concatenate(values), np.concatenate([r.fault for r in readings]))
