"""Inference of the model that did not answer: samples with equal input layouts share runs, across records.

Where the gateway keeps requests apart, so does the worker, in both roles: an answer that depends on the other rows of
its run would be that of another model than callers get.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Protocol

import numpy as np

from tightrope.monitors.compare import Decision, Reading, failed_reading, read_output
from tightrope.monitors.records import Fault, Floats, Ints, Role, Tensors, tensor_layout
from tightrope.monitors.sample_batch import SampleBatch, concatenate_tensors
from tightrope.service.adapters.ports import Model, RunDeadlineError, RunFailedError, UnreachableError
from tightrope.service.adapters.runs.detached import DetachedModel
from tightrope.service.adapters.runs.watched_runs import is_kept_away

log = logging.getLogger(__name__)

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
    ``sharing`` is closed; ``noise_share``: the share of samples on which the baseline runs twice.
    """

    models: Mapping[Role, Model]
    decision: Decision
    output: str
    free: bool
    noise_share: float = 0.0
    sharing: RunSharing | None = None

    def max_run_rows(self, role: Role) -> int:
        """Rows of the samples that share a run of this role; 0 where each sample runs alone."""
        if not self.free or (self.sharing is not None and self.sharing.is_closed):
            return 0
        model = self.models[role]
        return model.max_rows(MAX_SHADOW_RUN_ROWS) if isinstance(model, DetachedModel) else MAX_SHADOW_RUN_ROWS


@dataclass(frozen=True, slots=True)
class _Batch:
    """n samples that one run of ``role`` can answer: ``rows`` (n,) rows of each; ``index`` (r,) of every row in the
    result.
    """

    role: Role
    inputs: Tensors
    request_id: tuple[str, ...]
    rows: Ints
    index: Ints

    def split(self, max_rows: int) -> Iterator["_Batch"]:
        """Split into batches of at most ``max_rows`` rows; a larger sample runs alone."""
        ends = np.cumsum(self.rows)
        first = 0
        while first < len(ends):
            begin = int(ends[first - 1]) if first else 0
            last = max(int(np.searchsorted(ends, begin + max_rows, side="right")), first + 1)
            span = slice(begin, int(ends[last - 1]))
            inputs = {name: tensor[span] for name, tensor in self.inputs.items()}
            yield _Batch(self.role, inputs, self.request_id[first:last], self.rows[first:last], self.index[span])
            first = last


def run_shadow(watched: WatchedPair, parts: Sequence[SampleBatch], served: Reading, widths: Ints) -> Reading:
    """Run the other model on the rows of ``served``, and return its reading in the same shape.

    A row is a fault where the run fails, or where it has another number of classes than ``widths`` (rows,) and cannot
    be paired.
    """
    shadow = failed_reading(served)
    for group in _group(parts):
        for answered, reading in _run(watched, list(group.split(watched.max_run_rows(group.role)))):
            fits = widths[answered.index] == reading.values.shape[1]
            shadow.fault[answered.index] = np.where(fits, reading.fault, Fault.OUT_OF_RANGE)
            if fits.any():
                shadow.values[answered.index[fits]] = pad_classes(reading.values[fits], served.values.shape[1])
    return shadow


def pad_classes(values: Floats, width: int) -> Floats:
    """Pad (rows, k) to ``width`` classes with zeros, which change no statistic."""
    missing = width - values.shape[1]
    return np.pad(values, ((0, 0), (0, missing))) if missing else values


def _group(parts: Sequence[SampleBatch]) -> Iterator[_Batch]:
    """Group the samples by the role that did not answer and by the layout of their inputs."""
    groups: dict[tuple[Role, object], list[_Batch]] = {}
    for part, start in zip(parts, accumulate((len(part.member) for part in parts), initial=0), strict=False):
        for role in Role:
            chosen = part.served_by_baseline == (role is Role.COMPRESSED)
            if chosen.any():
                samples, index = part.take(chosen), start + np.flatnonzero(np.repeat(chosen, part.rows))
                batch = _Batch(role, samples.inputs, samples.request_id, samples.rows, index)
                groups.setdefault((role, tensor_layout(samples.inputs)), []).append(batch)
    for (role, _), batches in groups.items():
        yield _Batch(
            role,
            concatenate_tensors([batch.inputs for batch in batches]),
            tuple(chain.from_iterable(batch.request_id for batch in batches)),
            np.concatenate([batch.rows for batch in batches]),
            np.concatenate([batch.index for batch in batches]),
        )


def _run(watched: WatchedPair, batches: Sequence[_Batch]) -> Iterator[tuple[_Batch, Reading]]:
    """Run batches of one role; where one fails, run each of its samples alone, so that one bad input spoils no other.
    Yields successes.
    """
    role = batches[0].role
    for batch, answer in zip(batches, run_role(watched, role, [batch.inputs for batch in batches]), strict=True):
        if isinstance(answer, Reading):
            yield batch, answer
        elif isinstance(answer, RunDeadlineError):
            log.warning("the %s model did not answer %d samples: %s", role, len(batch.rows), answer)
            if len(batch.rows) > 1 and not is_kept_away(watched.models[role]):
                yield from _run(watched, list(batch.split(0)))
        elif isinstance(answer, UnreachableError):
            pass  # each sample would fail in the same way; the model's adapter logs it
        elif len(batch.rows) > 1:
            yield from _run(watched, list(batch.split(0)))
        else:
            log.warning("the %s model failed on the sample %s: %s", role, batch.request_id[0], answer)


def run_role(watched: WatchedPair, role: Role, batches: Sequence[Tensors]) -> list[Reading | RunFailedError]:
    """Run the model of a role once for each batch of inputs. The error of a run that fails, or whose output has another
    number of rows than the input, stands in the place of its reading; any other error is raised.
    """
    model = watched.models[role]
    if isinstance(model, DetachedModel):
        answers = model.run_each(batches, [watched.output])
    else:
        answers = [_answer(model, inputs, watched.output) for inputs in batches]
    return [_reading(watched, inputs, answer) for inputs, answer in zip(batches, answers, strict=True)]


def _answer(model: Model, inputs: Tensors, output: str) -> Tensors | Exception:
    try:
        return model.run(inputs, [output])
    except RunFailedError as error:
        return error


def _reading(watched: WatchedPair, inputs: Tensors, answer: Tensors | Exception) -> Reading | RunFailedError:
    if isinstance(answer, RunFailedError):
        return answer
    if isinstance(answer, Exception):
        raise answer
    rows, output = len(next(iter(inputs.values()))), answer[watched.output]
    if not output.ndim or len(output) != rows:
        return RunFailedError(f"{watched.output}: shape {output.shape} for {rows} rows")
    return read_output(output, watched.decision.scale)
