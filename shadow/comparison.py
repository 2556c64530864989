"""Pairing: what the model that did not answer says to the same inputs, beside what was answered, as comparisons."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.compare import Reading, Scale, pair, read
from tightrope.monitors.records import Bools, Comparisons, Fault, Floats, Ints, Role, Tensors
from tightrope.monitors.sample_batch import Samples
from tightrope.service.adapters.ports import Compared, Record, RunFailedError
from tightrope.shadow.inference import Watched, answers, ask, padded


@dataclass(frozen=True, slots=True)
class Taken:
    """The samples of one record with the place it came from; by ``shift`` seconds their gateway's clock is behind the
    log's.
    """

    samples: Samples
    record: Record
    shift: float = 0.0


def compared(watched: Watched, taken: Sequence[Taken], log_name: str) -> Iterator[Compared]:
    """Comparisons of one model's samples, in the order of the log; one batch for each pair of artefacts."""
    for _, items in groupby(taken, key=lambda item: item.samples.kind):
        yield _pair(watched, list(items), log_name)


def _pair(watched: Watched, taken: Sequence[Taken], log_name: str) -> Compared:
    """All columns of one batch, and what they were made of."""
    parts = [item.samples for item in taken]
    columns = _columns(parts)
    primary, widths = _primary([part.outputs[watched.output] for part in parts], watched.decision.scale)
    shadow = answers(watched, parts, primary, widths)
    by_baseline = columns["served_by_baseline"]
    baseline, compressed = _either(by_baseline, primary, shadow), _either(~by_baseline, primary, shadow)
    paired = pair(baseline, compressed, watched.decision)
    rows = [len(part.member) for part in parts]

    comparisons = Comparisons(
        model=parts[0].model,
        baseline_digest=parts[0].baseline_digest,
        compressed_digest=parts[0].compressed_digest,
        log=log_name,
        scopes=parts[0].scopes,
        partition=np.repeat([item.record.partition for item in taken], rows),
        offset=np.repeat([item.record.offset for item in taken], rows),
        time=columns.pop("time") + np.repeat([item.shift for item in taken], rows),
        request_id=tuple(chain.from_iterable(map(_ids, parts))),
        member=np.concatenate([part.member for part in parts]),
        twin=np.concatenate([_twins(part.inputs, len(part.member)) for part in parts]),
        self_disagree=_contradictions(watched, parts, baseline),
        correct_baseline=np.full(len(by_baseline), np.nan),
        correct_compressed=np.full(len(by_baseline), np.nan),
        **columns,
        **{name: getattr(paired, name) for name in paired.__dataclass_fields__},
    )
    decided = {Role.BASELINE: _decided(baseline, watched), Role.COMPRESSED: _decided(compressed, watched)}
    return Compared(comparisons, [part.inputs for part in parts], decided)


def _columns(parts: Sequence[Samples]) -> dict[str, NDArray[Any]]:
    """What was so of each sample, for each of its rows."""
    rows = np.concatenate([part.rows for part in parts])
    names = ("time", "served_by_baseline", "draw", "inclusion", "seconds")
    return {name: np.repeat(np.concatenate([getattr(part, name) for part in parts]), rows) for name in names}


def _ids(part: Samples) -> Sequence[str]:
    """The request of each row."""
    if len(part) == len(part.member):
        return part.request_id
    return [name for name, rows in zip(part.request_id, part.rows.tolist(), strict=True) for _ in range(rows)]


def _primary(outputs: Sequence[NDArray[np.generic]], scale: Scale) -> tuple[Reading, Ints]:
    """What the models that answered said, and how many classes each row has, (rows,)."""
    if len({(output.dtype, output.shape[1:]) for output in outputs}) == 1:
        reading = read(np.concatenate(outputs), scale)
        return reading, np.full(len(reading.fault), reading.values.shape[1])
    readings = [read(output, scale) for output in outputs]
    widths = [reading.values.shape[1] for reading in readings]
    values = np.concatenate([padded(reading.values, max(widths)) for reading in readings])
    whole = Reading(values, np.concatenate([reading.fault for reading in readings]))
    return whole, np.repeat(widths, [len(reading.fault) for reading in readings])


def _either(first: Bools, one: Reading, other: Reading) -> Reading:
    """Row by row the one reading where ``first`` is so, else the other."""
    return Reading(np.where(first[:, None], one.values, other.values), np.where(first, one.fault, other.fault))


def _twins(inputs: Tensors, rows: int) -> NDArray[np.uint64]:
    """A hash of each row's input, never 0, (rows,)."""
    whole = [_bytes(inputs[name]) for name in sorted(inputs)]
    each = whole[0] if len(whole) == 1 else map(b"".join, zip(*whole, strict=True))
    digests = [blake2b(row, digest_size=8).digest() for row in each]
    return np.asarray(np.maximum(np.frombuffer(b"".join(digests), dtype="<u8", count=rows), 1))


def _bytes(tensor: NDArray[np.generic]) -> list[bytes]:
    """Row by row."""
    if tensor.dtype == object:
        return [repr(np.asarray(row).tolist()).encode() for row in tensor]
    whole, width = tensor.tobytes(), tensor.nbytes // len(tensor)
    return [whole[begin : begin + width] for begin in range(0, len(whole), width or 1)] or [b""] * len(tensor)


def _contradictions(watched: Watched, parts: Sequence[Samples], baseline: Reading) -> Floats:
    """1 where the baseline decides otherwise when a sample is run again, alone; NaN for rows that are not, (rows,)."""
    found = np.full(len(baseline.fault), np.nan)
    again = list(_again(watched, parts, baseline.values.shape[1]))
    if again:
        at = np.concatenate([rows for rows, _ in again])
        second = Reading(*(np.concatenate([getattr(said, name) for _, said in again]) for name in ("values", "fault")))
        both = pair(Reading(baseline.values[at], baseline.fault[at]), second, watched.decision)
        found[at] = np.where(both.fault == Fault.NONE, both.disagree, np.nan)
    return found


def _again(watched: Watched, parts: Sequence[Samples], width: int) -> Iterator[tuple[Ints, Reading]]:
    """Rows that the baseline is asked a second time, a sample at a time, and what it says in ``width`` classes."""
    start = 0
    for part in parts:
        ends = np.cumsum(part.rows)
        for place in np.flatnonzero(~(part.draw >= watched.noise_share * part.inclusion)):
            begin, end = ends[place] - part.rows[place], ends[place]
            with suppress(RunFailedError):
                said = ask(watched, Role.BASELINE, {name: t[begin:end] for name, t in part.inputs.items()})
                if said.values.shape[1] == width:
                    yield np.arange(start + begin, start + end), said
        start += len(part.member)


def _decided(reading: Reading, watched: Watched) -> Floats:
    """(rows,) the class decided for, or the first value of a regression; NaN where the row could not be read."""
    if watched.decision.scale is Scale.REGRESSION:
        return reading.values[:, 0]
    return np.where(reading.fault == Fault.NONE, reading.values.argmax(axis=1), np.nan)
