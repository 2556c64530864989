"""Pairing of samples by a kind: the model that did not answer runs, its outputs are read, and both readings compared.

Samples of one record have equal layouts. Each run is compared by itself, because the readings of two runs may differ in
layout: a tensor of positions is as long as the longest text of its run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tightrope.monitors.compare import PairedOutputs
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.kinds.pairing import join_pairs, pair_kind_readings, read_safely
from tightrope.monitors.kinds.seam import DecisionKind, KindReading
from tightrope.monitors.records import Fault, Floats, Ints, Role, Tensors
from tightrope.shadow.inference import ShadowBatch, WatchedPair, by_run, run_batches, run_role


@dataclass(frozen=True, slots=True)
class Pairs:
    """The paired outputs of n rows; ``self_disagree`` (n,) is how far a second run of the baseline contradicts its
    first, NaN for rows that it ran once; ``decided`` (n,) by role is the class of each row, or its first value, NaN
    without either.
    """

    paired: PairedOutputs
    self_disagree: Floats
    decided: Mapping[Role, Floats]


@dataclass
class _PairedRows:
    """The pairs so far: by the indices of the rows, the paired outputs, and the readings of each role."""

    pairs: list[tuple[Ints, PairedOutputs]] = field(default_factory=list)
    readings: dict[Role, list[tuple[Ints, KindReading]]] = field(default_factory=lambda: {role: [] for role in Role})

    def add(self, watched: WatchedPair, kind: DecisionKind, rows: Ints, by_role: dict[Role, KindReading]) -> None:
        """Pair two readings of these rows."""
        baseline, compressed = by_role[Role.BASELINE], by_role[Role.COMPRESSED]
        self.pairs.append((rows, pair_kind_readings(kind, baseline, compressed, watched.decision.refusal)))
        for role, reading in by_role.items():
            self.readings[role].append((rows, reading))


def pair_samples(watched: WatchedPair, kind: DecisionKind, parts: Sequence[SampleBatch]) -> Pairs:
    """Pair all samples of these records, in order. A row is a fault where the other model's run fails."""
    done, start = _PairedRows(), 0
    for part in parts:
        for role, apart, chosen in by_run(part):
            samples, index = part.take(chosen), start + np.flatnonzero(np.repeat(chosen, part.rows))
            batch = ShadowBatch(role, apart, samples.inputs, samples.request_id, samples.rows, np.arange(len(index)))
            _pair_served(watched, kind, batch, served_reading(kind, samples, role.other), index, done)
        start += len(part.member)
    return Pairs(
        join_pairs(done.pairs, start),
        _self_disagreement(watched, kind, parts, done.readings[Role.BASELINE], start),
        {role: _decided(readings, start) for role, readings in done.readings.items()},
    )


def _pair_served(
    watched: WatchedPair, kind: DecisionKind, batch: ShadowBatch, served: KindReading, index: Ints, done: _PairedRows
) -> None:
    """Pair samples with the answers that callers got; ``index`` (rows,) are their indices among all rows."""
    role = batch.role
    unanswered = np.ones(len(index), dtype=bool)
    for answered, reading in run_batches(watched, watched.split(batch)):
        if isinstance(reading, KindReading):
            unanswered[answered.index] = False
            done.add(watched, kind, index[answered.index], {role.other: served.take(answered.index), role: reading})
    if unanswered.any():
        failed = KindReading.failed(int(unanswered.sum()), Fault.RUN_FAILED)
        done.add(watched, kind, index[unanswered], {role.other: served.take(unanswered), role: failed})


def served_reading(kind: DecisionKind, part: SampleBatch, role: Role) -> KindReading:
    """The reading of the answers that callers got; a fault of every row where the samples do not carry it."""
    rows = len(part.member)
    if not kind.is_condensed:
        return read_safely(kind, part.outputs, part.inputs, role, rows)
    try:
        return KindReading.from_tensors(part.outputs)
    except (KeyError, TypeError, ValueError):
        return KindReading.failed(rows, Fault.UNREADABLE)


def _decided(readings: Sequence[tuple[Ints, KindReading]], rows: int) -> Floats:
    decided = np.full(rows, np.nan)
    for index, reading in readings:
        decided[index] = decided_values(reading)
    return decided


def decided_values(reading: KindReading) -> Floats:
    """The class of each row, or its first value, (n,); NaN without either, or with a fault."""
    if (reading.top >= 0).any() or "value" not in reading.columns:
        return np.where(reading.top >= 0, reading.top, np.nan)
    values = np.asarray(reading.columns["value"], np.float64).reshape(len(reading), -1)[:, 0]
    return np.where(reading.fault == Fault.NONE, values, np.nan)


def _self_disagreement(
    watched: WatchedPair,
    kind: DecisionKind,
    parts: Sequence[SampleBatch],
    first: Sequence[tuple[Ints, KindReading]],
    rows: int,
) -> Floats:
    """The loss between the first and a second run of the baseline, (rows,); NaN for rows that it ran once."""
    disagree = np.full(rows, np.nan)
    chosen = list(_chosen_samples(watched, parts))
    seconds = run_role(watched, Role.BASELINE, [inputs for _, inputs in chosen]) if chosen else []
    read = {int(row): (reading, number) for index, reading in first for number, row in enumerate(index)}
    for (index, _), second in zip(chosen, seconds, strict=True):
        if isinstance(second, KindReading):
            reading, number = read[int(index[0])]
            both = pair_kind_readings(kind, reading.take(slice(number, number + len(index))), second, None)
            if both.loss is not None:
                disagree[index] = both.loss
    return disagree


def _chosen_samples(watched: WatchedPair, parts: Sequence[SampleBatch]) -> Iterator[tuple[Ints, Tensors]]:
    """The samples on which the baseline runs twice: the indices of their rows, and their inputs."""
    start = 0
    for part in parts:
        ends = np.cumsum(part.rows)
        for number in np.flatnonzero(~(part.draw >= watched.noise_share * part.inclusion)):
            begin, end = ends[number] - part.rows[number], ends[number]
            yield np.arange(start + begin, start + end), {n: tensor[begin:end] for n, tensor in part.inputs.items()}
        start += len(part.member)
