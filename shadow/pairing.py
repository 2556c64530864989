"""Pairing: the model that did not answer is run on the same inputs, in batches, and both outputs become comparisons."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate, groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from monitors.compare import Decision, Reading, Scale, failed, pair, read
from monitors.records import Comparisons, Fault, Floats, Role, Sample, Tensors
from service.adapters.ports import Compared, Model, Record, RunFailedError, UnreachableError

log = logging.getLogger(__name__)

MOST_ROWS = 1024
"""Rows in one run of the shadow model."""


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
class Taken:
    """One sample with the place it came from; by ``shift`` seconds its gateway's clock is behind the log's."""

    sample: Sample
    record: Record
    shift: float = 0.0

    @property
    def time(self) -> float:
        """The event time, by the log's clock."""
        return self.sample.time + self.shift


def compared(watched: Watched, taken: Sequence[Taken], log_name: str) -> Iterator[Compared]:
    """Comparisons of one model's samples, in the order of the log; one batch for each pair of artefacts."""
    readings = _readings(watched, taken)
    for _, items in groupby(zip(taken, readings, strict=True), key=lambda item: item[0].sample.kind):
        part = list(items)
        yield _pair(watched, [taken for taken, _ in part], [shadow for _, shadow in part], log_name)


def _readings(watched: Watched, taken: Sequence[Taken]) -> list[Reading]:
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
        if len(samples) > 1 and not isinstance(error, UnreachableError):
            return [_run(watched, [sample])[0] for sample in samples]
        if not isinstance(error, UnreachableError):  # whose absence is told once, where it is noticed
            log.warning("the %s model could not answer the sample %s: %s", role, samples[0].request_id, error)
        return [failed(read(sample.outputs[watched.output], watched.decision.scale)) for sample in samples]
    return _split(reading, rows)


def _split(reading: Reading, rows: Sequence[int]) -> list[Reading]:
    """The reading of several samples, sample by sample."""
    ends = list(accumulate(rows, initial=0))
    return [Reading(reading.values[begin:end], reading.fault[begin:end]) for begin, end in pairwise(ends)]


def _read(watched: Watched, role: Role, inputs: Tensors, rows: int) -> Reading:
    output = watched.models[role].run(inputs, [watched.output])[watched.output]
    if not output.ndim or len(output) != rows:
        raise RunFailedError(f"{watched.output}: shape {output.shape} for {rows} rows")
    return read(output, watched.decision.scale)


def _pair(watched: Watched, taken: Sequence[Taken], shadows: Sequence[Reading], log_name: str) -> Compared:
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
        time=np.repeat([item.time for item in taken], rows),
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
    rows = zip(*(_bytes(tensor) for _, tensor in sorted(sample.inputs.items())), strict=True)
    digests = [blake2b(b"".join(row), digest_size=8).digest() for row in rows]
    return np.asarray(np.maximum(np.frombuffer(b"".join(digests), dtype="<u8"), 1))


def _bytes(tensor: NDArray[np.generic]) -> list[bytes]:
    """Row by row."""
    if tensor.dtype == object:
        return [repr(np.asarray(row).tolist()).encode() for row in tensor]
    whole, width = tensor.tobytes(), tensor.nbytes // len(tensor)
    return [whole[begin : begin + width] for begin in range(0, len(whole), width or 1)] or [b""] * len(tensor)


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
