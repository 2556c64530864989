"""Inference of the model that did not answer: samples with equal input layouts share runs, across records.

Where the gateway keeps requests apart, so does the worker, in both roles: an answer that depends on the other rows of
its run would be that of another model than callers get. Each sample says whether its gateway does, which may have seen
in service what no worker saw.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, product
from typing import Protocol, TypeAlias

import numpy as np

from tightrope.monitors.compare import Decision, Reading, failed_reading, read_output
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.intake.sample_batch import SampleBatch, concatenate_tensors, tensor_layout
from tightrope.monitors.kinds.pairing import read_safely
from tightrope.monitors.kinds.seam import DecisionKind, KindReading
from tightrope.monitors.records import Bools, Fault, Floats, Ints, Role, Tensors
from tightrope.service.adapters.ports import Model, RunDeadlineError, RunFailedError, UnreachableError
from tightrope.service.adapters.runs.detached import DetachedModel
from tightrope.service.adapters.runs.watched_runs import is_kept_away

log = logging.getLogger(__name__)

AnyReading: TypeAlias = Reading | KindReading
"""The reading of a kind, or of a pair without one."""

MAX_SHADOW_RUN_ROWS = 1024
"""Rows in one run of the shadow model."""


class RunSharing(Protocol):
    """Whether the gateway may answer several requests in one run; it may change its mind once."""

    @property
    def is_closed(self) -> bool:
        """Whether it keeps all requests apart."""


@dataclass(frozen=True, slots=True)
class WatchedPair:
    """A model pair as the worker sees it. ``free``: the first dimension is dynamic, so samples can be batched, unless
    ``sharing`` is closed; ``noise_share``: the share of samples on which the baseline runs twice. ``kind`` reads and
    compares the decisions; without one they are classes, or values, of the decision's scale. The input ``columns`` are
    in comparisons.
    """

    models: Mapping[Role, Model]
    decision: Decision
    output: str
    free: bool
    noise_share: float = 0.0
    sharing: RunSharing | None = None
    kind: DecisionKind | None = None
    columns: Sequence[InputColumn] = ()

    @property
    def deciding(self) -> Sequence[str]:
        """The names of the outputs that the decision is read from."""
        return [self.output] if self.kind is None else self.kind.outputs

    @property
    def is_apart(self) -> bool:
        """Whether each sample runs alone."""
        return not self.free or (self.sharing is not None and self.sharing.is_closed)

    def split(self, batch: "ShadowBatch") -> list["ShadowBatch"]:
        """The runs of a batch: of several samples each, or of one where they run alone."""
        return list(batch.split(0 if batch.apart else self.max_run_rows(batch.role)))

    def max_run_rows(self, role: Role) -> int:
        """Rows of the samples that share a run of this role; 0 where each sample runs alone."""
        if self.is_apart:
            return 0
        model = self.models[role]
        return model.max_rows(MAX_SHADOW_RUN_ROWS) if isinstance(model, DetachedModel) else MAX_SHADOW_RUN_ROWS


@dataclass(frozen=True, slots=True)
class ShadowBatch:
    """n samples that one run of ``role`` can answer: ``rows`` (n,) rows of each; ``index`` (r,) of every row in the
    result. ``apart``: their gateway keeps requests apart, so each runs alone.
    """

    role: Role
    apart: bool
    inputs: Tensors
    request_id: tuple[str, ...]
    rows: Ints
    index: Ints

    def split(self, max_rows: int) -> Iterator["ShadowBatch"]:
        """Split into batches of at most ``max_rows`` rows; a larger sample runs alone."""
        ends = np.cumsum(self.rows)
        first = 0
        while first < len(ends):
            begin = int(ends[first - 1]) if first else 0
            last = max(int(np.searchsorted(ends, begin + max_rows, side="right")), first + 1)
            span = slice(begin, int(ends[last - 1]))
            inputs = {name: tensor[span] for name, tensor in self.inputs.items()}
            ids, rows = self.request_id[first:last], self.rows[first:last]
            yield ShadowBatch(self.role, self.apart, inputs, ids, rows, self.index[span])
            first = last


def run_shadow(watched: WatchedPair, parts: Sequence[SampleBatch], served: Reading, widths: Ints) -> Reading:
    """Run the other model on the rows of ``served``, and return its reading in the same shape.

    A row is a fault where the run fails, or where it has another number of classes than ``widths`` (rows,) and cannot
    be paired.
    """
    shadow = failed_reading(served)
    for group in _group(parts):
        for answered, reading in run_batches(watched, watched.split(group)):
            if not isinstance(reading, Reading):
                continue
            fits = widths[answered.index] == reading.values.shape[1]
            shadow.fault[answered.index] = np.where(fits, reading.fault, Fault.OUT_OF_RANGE)
            if fits.any():
                shadow.values[answered.index[fits]] = pad_classes(reading.values[fits], served.values.shape[1])
    return shadow


def pad_classes(values: Floats, width: int) -> Floats:
    """Pad (rows, k) to ``width`` classes with zeros, which change no statistic."""
    missing = width - values.shape[1]
    return np.pad(values, ((0, 0), (0, missing))) if missing else values


def _group(parts: Sequence[SampleBatch]) -> Iterator[ShadowBatch]:
    """Group the samples by the role that did not answer, whether they run apart, and the layout of their inputs."""
    groups: dict[tuple[Role, bool, object], list[ShadowBatch]] = {}
    for part, start in zip(parts, accumulate((len(part.member) for part in parts), initial=0), strict=False):
        for role, apart, chosen in by_run(part):
            samples, index = part.take(chosen), start + np.flatnonzero(np.repeat(chosen, part.rows))
            batch = ShadowBatch(role, apart, samples.inputs, samples.request_id, samples.rows, index)
            groups.setdefault((role, apart, tensor_layout(samples.inputs)), []).append(batch)
    for (role, apart, _), batches in groups.items():
        yield ShadowBatch(
            role,
            apart,
            concatenate_tensors([batch.inputs for batch in batches]),
            tuple(chain.from_iterable(batch.request_id for batch in batches)),
            np.concatenate([batch.rows for batch in batches]),
            np.concatenate([batch.index for batch in batches]),
        )


def by_run(part: SampleBatch) -> Iterator[tuple[Role, bool, Bools]]:
    """The samples of a record that can share runs, as masks (n,): by the role that did not answer, and whether they
    run apart.
    """
    for role, apart in product(Role, (False, True)):
        chosen = (part.served_by_baseline == (role is Role.COMPRESSED)) & (part.apart == apart)
        if chosen.any():
            yield role, apart, chosen


def run_batches(watched: WatchedPair, batches: Sequence[ShadowBatch]) -> Iterator[tuple[ShadowBatch, AnyReading]]:
    """Run batches of one role; where one fails, run each of its samples alone, so that one bad input spoils no other.
    Yields successes.
    """
    role = batches[0].role
    for batch, answer in zip(batches, run_role(watched, role, [batch.inputs for batch in batches]), strict=True):
        if isinstance(answer, Reading | KindReading):
            yield batch, answer
        elif isinstance(answer, RunDeadlineError):
            log.warning("the %s model did not answer %d samples: %s", role, len(batch.rows), answer)
            if len(batch.rows) > 1 and not is_kept_away(watched.models[role]):
                yield from run_batches(watched, list(batch.split(0)))
        elif isinstance(answer, UnreachableError):
            pass  # each sample would fail in the same way; the model's adapter logs it
        elif len(batch.rows) > 1:
            yield from run_batches(watched, list(batch.split(0)))
        else:
            log.warning("the %s model failed on a sample: %s", role, answer)


def run_role(watched: WatchedPair, role: Role, batches: Sequence[Tensors]) -> list[AnyReading | RunFailedError]:
    """Run the model of a role once for each batch of inputs. The error of a run that fails, or whose output has another
    number of rows than the input, stands in the place of its reading; any other error is raised.
    """
    model = watched.models[role]
    if isinstance(model, DetachedModel):
        answers = model.run_each(batches, watched.deciding)
    else:
        answers = [_answer(model, inputs, watched.deciding) for inputs in batches]
    return [_reading(watched, role, inputs, answer) for inputs, answer in zip(batches, answers, strict=True)]


def take_cpu(watched: WatchedPair, name: str) -> Mapping[tuple[str, ...], float]:
    """The CPU seconds of a pair's runs since the last call, by its name and the role; a remote model has none here."""
    detached = [(role, model) for role, model in watched.models.items() if isinstance(model, DetachedModel)]
    return {(name, role): model.cpu.take() for role, model in detached}


def _answer(model: Model, inputs: Tensors, outputs: Sequence[str]) -> Tensors | Exception:
    try:
        return model.run(inputs, outputs)
    except RunFailedError as error:
        return error


def _reading(
    watched: WatchedPair, role: Role, inputs: Tensors, answer: Tensors | Exception
) -> AnyReading | RunFailedError:
    if isinstance(answer, RunFailedError):
        return answer
    if isinstance(answer, Exception):
        raise answer
    rows = len(next(iter(inputs.values())))
    if watched.kind is not None:
        return read_safely(watched.kind, answer, inputs, role, rows)
    output = answer[watched.output]
    if not output.ndim or len(output) != rows:
        return RunFailedError(f"{watched.output}: shape {output.shape} for {rows} rows")
    return read_output(output, watched.decision.scales[role])
