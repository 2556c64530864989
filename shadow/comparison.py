"""Comparison: the model that did not answer runs on the same inputs, and its outputs are paired with those served."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.compare import Reading, Scale, pair_readings, read_output
from tightrope.monitors.hunter.columns import features_of
from tightrope.monitors.intake.sample_batch import ADDED_SAMPLE_COLUMNS, SampleBatch
from tightrope.monitors.records import Bools, Comparisons, Fault, Floats, Ints, Role, Tensors, Texts
from tightrope.service.adapters.ports import ComparedBatch, Record, host_class_of
from tightrope.shadow.inference import WatchedPair, pad_classes, run_role, run_shadow
from tightrope.shadow.pairing.kind_pairing import Pairs, pair_samples


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """The samples of one record. The clock of their gateway is ``clock_offset`` seconds behind that of the log."""

    samples: SampleBatch
    record: Record
    clock_offset: float = 0.0


def compare_samples(watched: WatchedPair, records: Sequence[SampleRecord], log_name: str) -> Iterator[ComparedBatch]:
    """Compare the samples of one model in log order; one batch for each run of records with equal artefacts."""
    for _, group in groupby(records, key=lambda item: item.samples.group_key):
        yield _compare_group(watched, list(group), log_name)


def _compare_group(watched: WatchedPair, records: Sequence[SampleRecord], log_name: str) -> ComparedBatch:
    parts = [item.samples for item in records]
    columns = _sample_columns(parts)
    by_baseline = columns["served_by_baseline"]
    columns["apart"] |= watched.is_apart
    pairs = _pair(watched, parts, by_baseline) if watched.kind is None else pair_samples(watched, watched.kind, parts)
    rows = [len(part.member) for part in parts]

    comparisons = Comparisons(
        model=parts[0].model,
        baseline_digest=parts[0].baseline_digest,
        compressed_digest=parts[0].compressed_digest,
        log=log_name,
        scopes=parts[0].scopes,
        partition=np.repeat([item.record.partition for item in records], rows),
        offset=np.repeat([item.record.offset for item in records], rows),
        time=columns.pop("time") + np.repeat([item.clock_offset for item in records], rows),
        request_id=tuple(chain.from_iterable(map(_request_ids, parts))),
        member=np.concatenate([part.member for part in parts]),
        twin=np.concatenate([_input_hashes(part.inputs, len(part.member)) for part in parts]),
        shadow_host_class=_shadow_host_classes(watched, by_baseline),
        features=np.concatenate([features_of(watched.columns, part.inputs, len(part.member)) for part in parts]),
        self_disagree=pairs.self_disagree,
        correct_baseline=np.full(len(by_baseline), np.nan),
        correct_compressed=np.full(len(by_baseline), np.nan),
        **columns,
        **pairs.paired.columns(),
    )
    return ComparedBatch(comparisons, [part.inputs for part in parts], pairs.decided)


def _pair(watched: WatchedPair, parts: Sequence[SampleBatch], by_baseline: Bools) -> Pairs:
    """Pair the samples of a model whose decisions are classes, or values."""
    outputs = [part.outputs[watched.output] for part in parts]
    ours, theirs = (watched.decision.scales[role] for role in (Role.BASELINE, Role.COMPRESSED))
    served, widths = _served_reading(outputs, theirs)
    if ours is not theirs:
        served = _select(by_baseline, _served_reading(outputs, ours)[0], served)
    shadow = run_shadow(watched, parts, served, widths)
    baseline, compressed = _select(by_baseline, served, shadow), _select(~by_baseline, served, shadow)
    return Pairs(
        pair_readings(baseline, compressed, watched.decision),
        _self_disagreement(watched, parts, baseline),
        {Role.BASELINE: _decisions(baseline, watched), Role.COMPRESSED: _decisions(compressed, watched)},
    )


def _sample_columns(parts: Sequence[SampleBatch]) -> dict[str, NDArray[Any]]:
    """The per-sample columns, repeated for each row of the sample, (rows,)."""
    rows = np.concatenate([part.rows for part in parts])
    names = ("time", "served_by_baseline", "draw", "inclusion", "seconds", *ADDED_SAMPLE_COLUMNS)
    return {name: np.repeat(np.concatenate([getattr(part, name) for part in parts]), rows) for name in names}


def _shadow_host_classes(watched: WatchedPair, by_baseline: Bools) -> Texts:
    """The class of the host that ran the other model, (rows,)."""
    classes = {role: host_class_of(model) for role, model in watched.models.items()}
    return np.where(by_baseline, classes[Role.COMPRESSED], classes[Role.BASELINE]).astype(object)


def _request_ids(part: SampleBatch) -> Sequence[str]:
    """The request id of each row."""
    if len(part) == len(part.member):
        return part.request_id
    return [name for name, rows in zip(part.request_id, part.rows.tolist(), strict=True) for _ in range(rows)]


def _served_reading(outputs: Sequence[NDArray[np.generic]], scale: Scale) -> tuple[Reading, Ints]:
    """Read the outputs that callers received; with the number of classes of each row, (rows,)."""
    if len({(output.dtype, output.shape[1:]) for output in outputs}) == 1:
        reading = read_output(np.concatenate(outputs), scale)
        return reading, np.full(len(reading.fault), reading.values.shape[1])
    readings = [read_output(output, scale) for output in outputs]
    widths = [reading.values.shape[1] for reading in readings]
    values = np.concatenate([pad_classes(reading.values, max(widths)) for reading in readings])
    joined = Reading(values, np.concatenate([reading.fault for reading in readings]))
    return joined, np.repeat(widths, [len(reading.fault) for reading in readings])


def _select(mask: Bools, chosen: Reading, other: Reading) -> Reading:
    """Take each row from ``chosen`` where ``mask`` is True, from ``other`` elsewhere."""
    return Reading(np.where(mask[:, None], chosen.values, other.values), np.where(mask, chosen.fault, other.fault))


def _input_hashes(inputs: Tensors, rows: int) -> NDArray[np.uint64]:
    """A hash of each row's input, (rows,); never 0, which means unknown."""
    columns = [_row_bytes(inputs[name]) for name in sorted(inputs)]
    joined = columns[0] if len(columns) == 1 else map(b"".join, zip(*columns, strict=True))
    digests = [blake2b(row, digest_size=8).digest() for row in joined]
    return np.asarray(np.maximum(np.frombuffer(b"".join(digests), dtype="<u8", count=rows), 1))


def _row_bytes(tensor: NDArray[np.generic]) -> list[bytes]:
    if tensor.dtype == object:
        return [repr(np.asarray(row).tolist()).encode() for row in tensor]
    content, width = tensor.tobytes(), tensor.nbytes // len(tensor)
    return [content[begin : begin + width] for begin in range(0, len(content), width or 1)] or [b""] * len(tensor)


def _self_disagreement(watched: WatchedPair, parts: Sequence[SampleBatch], baseline: Reading) -> Floats:
    """Whether a second run of the baseline contradicts its first, (rows,): 1 or 0; NaN for rows that it ran once."""
    disagree = np.full(len(baseline.fault), np.nan)
    repeats = list(_second_runs(watched, parts, baseline.values.shape[1]))
    if repeats:
        index = np.concatenate([rows for rows, _ in repeats])
        second = Reading(
            *(np.concatenate([getattr(reading, name) for _, reading in repeats]) for name in ("values", "fault"))
        )
        both = pair_readings(Reading(baseline.values[index], baseline.fault[index]), second, watched.decision)
        disagree[index] = np.where(both.fault == Fault.NONE, both.disagree, np.nan)
    return disagree


def _second_runs(watched: WatchedPair, parts: Sequence[SampleBatch], width: int) -> Iterator[tuple[Ints, Reading]]:
    """Run the baseline again on the chosen samples, one by one; row indices and the reading, of ``width`` classes."""
    inputs: list[Tensors] = []
    rows: list[Ints] = []
    start = 0
    for part in parts:
        ends = np.cumsum(part.rows)
        for index in np.flatnonzero(~(part.draw >= watched.noise_share * part.inclusion)):
            begin, end = ends[index] - part.rows[index], ends[index]
            inputs.append({name: tensor[begin:end] for name, tensor in part.inputs.items()})
            rows.append(np.arange(start + begin, start + end))
        start += len(part.member)
    for chosen, reading in zip(rows, run_role(watched, Role.BASELINE, inputs), strict=True):
        if isinstance(reading, Reading) and reading.values.shape[1] == width:
            yield chosen, reading


def _decisions(reading: Reading, watched: WatchedPair) -> Floats:
    """The class of each row, or the first value of a regression, (rows,); NaN where the row has a fault."""
    if watched.decision.scale is Scale.REGRESSION:
        return reading.values[:, 0]
    return np.where(reading.fault == Fault.NONE, reading.values.argmax(axis=1), np.nan)
