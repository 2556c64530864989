"""Asking the model that did not answer: samples alike share its runs, whatever record they came in."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import numpy as np

from tightrope.monitors.compare import Decision, Reading, failed, read
from tightrope.monitors.records import Fault, Floats, Ints, Role, Tensors, layout
from tightrope.monitors.sample_batch import Samples, below
from tightrope.service.adapters.ports import Model, RunFailedError, UnreachableError

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
class _Lot:
    """Samples that a run of ``role`` could answer together: ``rows`` (n,) of each, ``at`` (r,) where they stand in the
    batch.
    """

    role: Role
    inputs: Tensors
    request_id: tuple[str, ...]
    rows: Ints
    at: Ints

    def cut(self, most: int) -> Iterator["_Lot"]:
        """In lots of at most so many rows, a larger sample alone."""
        ends = np.cumsum(self.rows)
        first = 0
        while first < len(ends):
            begin = int(ends[first - 1]) if first else 0
            last = max(int(np.searchsorted(ends, begin + most, side="right")), first + 1)
            span = slice(begin, int(ends[last - 1]))
            inputs = {name: tensor[span] for name, tensor in self.inputs.items()}
            yield _Lot(self.role, inputs, self.request_id[first:last], self.rows[first:last], self.at[span])
            first = last


def answers(watched: Watched, parts: Sequence[Samples], primary: Reading, widths: Ints) -> Reading:
    """What the other model says to the rows that ``primary`` is of. With another number of classes than ``widths``
    (rows,) it cannot be paired: a fault. So is a row that nobody answers.
    """
    shadow = failed(primary)
    for lot in _lots(parts):
        for asked in lot.cut(MOST_ROWS if watched.free else 0):
            for run, said in _run(watched, asked):
                fits = widths[run.at] == said.values.shape[1]
                shadow.fault[run.at] = np.where(fits, said.fault, Fault.OUT_OF_RANGE)
                if fits.any():
                    shadow.values[run.at[fits]] = padded(said.values[fits], primary.values.shape[1])
    return shadow


def padded(values: Floats, width: int) -> Floats:
    """As many classes: those that are not there get zeros, which changes no figure."""
    missing = width - values.shape[1]
    return np.pad(values, ((0, 0), (0, missing))) if missing else values


def _lots(parts: Sequence[Samples]) -> Iterator[_Lot]:
    """By the role that did not answer, and by how their inputs look."""
    alike: dict[tuple[Role, object], list[_Lot]] = {}
    for part, start in zip(parts, accumulate((len(part.member) for part in parts), initial=0), strict=False):
        for role in Role:
            silent = part.served_by_baseline == (role is Role.COMPRESSED)
            if silent.any():
                mine, at = part.take(silent), start + np.flatnonzero(np.repeat(silent, part.rows))
                lot = _Lot(role, mine.inputs, mine.request_id, mine.rows, at)
                alike.setdefault((role, layout(mine.inputs)), []).append(lot)
    for (role, _), lots in alike.items():
        yield _Lot(
            role,
            below([lot.inputs for lot in lots]),
            tuple(chain.from_iterable(lot.request_id for lot in lots)),
            np.concatenate([lot.rows for lot in lots]),
            np.concatenate([lot.at for lot in lots]),
        )


def _run(watched: Watched, lot: _Lot) -> Iterator[tuple[_Lot, Reading]]:
    """One run; what is not given could not be answered. If it fails each sample is asked alone: bad input costs nobody
    else anything.
    """
    try:
        yield lot, ask(watched, lot.role, lot.inputs)
    except UnreachableError:
        return  # it is told once, where it is noticed
    except RunFailedError as error:
        if len(lot.rows) > 1:
            yield from chain.from_iterable(_run(watched, one) for one in lot.cut(0))
        else:
            log.warning("the %s model could not answer the sample %s: %s", lot.role, lot.request_id[0], error)


def ask(watched: Watched, role: Role, inputs: Tensors) -> Reading:
    """One run of a model.

    Raises:
        RunFailedError: when it cannot, or answers with other than one row for each.
    """
    rows = len(next(iter(inputs.values())))
    output = watched.models[role].run(inputs, [watched.output])[watched.output]
    if not output.ndim or len(output) != rows:
        raise RunFailedError(f"{watched.output}: shape {output.shape} for {rows} rows")
    return read(output, watched.decision.scale)
