"""What has been answered, until it is sampled and counted: no caller waits for that, and many at a time cost less."""

import logging
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from monitors.records import Floats, Role, Tensors
from monitors.samples import Samples, below
from monitors.sampling import draw
from service.adapters.metrics import Metrics, taken
from service.batch import Asking, Batch, Run, rows_at
from service.outbox import Outbox
from service.pace import Pace
from service.pair import Pair
from service.sampling import inclusion_of

log = logging.getLogger(__name__)


MOST_UNCOUNTED = 256
"""Runs after which these are counted, whether anybody looks or not: the paces learn by it."""


class _Served(Struct):
    """What is to be counted of a run: its rows and seconds, the rows that it answered, and those of them refused."""

    model: str
    role: Role
    action: str
    ran: int
    seconds: float
    rows: int
    refused: int


class _Drawn(NamedTuple):
    """A request that was answered alone, its draw, and when it was answered."""

    asking: Asking
    number: float
    now: float


class Answered:
    """Samples go to the outbox, counts to the metrics, what runs took to the paces. Whoever looks at the metrics sees
    all of it.
    """

    def __init__(self, outbox: Outbox, metrics: Metrics, paces: Mapping[str, Pace]) -> None:
        self._outbox = outbox
        self._metrics = metrics
        self._paces = paces
        self._waiting: deque[tuple[Asking, float]] = deque()
        self._served: deque[_Served] = deque()
        self._kept: deque[tuple[str, int]] = deque()
        metrics.before(self.settle)

    def note(self, asking: Asking, now: float) -> None:
        """A batch was answered."""
        self._waiting.append((asking, now))

    def sample(self) -> None:
        """Sample all that wait; of one model, those that were answered alone, too, in one go."""
        alone: dict[int, list[_Drawn]] = {}
        for asking, now in taken(self._waiting):
            self._served += _served(asking)
            sampler = asking.pair.sampler
            try:
                if len(asking.ids) > 1:
                    for samples in _of_batch(asking, now):
                        self._keep(samples)
                elif (number := draw(asking.ids[0], sampler.salt)) < sampler.most:
                    alone.setdefault(id(asking.pair), []).append(_Drawn(asking, number, now))
            except Exception:  # what was answered is answered, and others wait
                log.exception("what was answered could not be sampled")
        for drawn in alone.values():
            self._sample_alone(drawn)
        if len(self._served) >= MOST_UNCOUNTED:
            self._count()

    def settle(self) -> None:
        """Sample and count all that wait."""
        self.sample()
        self._count()

    def _sample_alone(self, drawn: Sequence[_Drawn]) -> None:
        """What cannot stand below each other, because it differs in width, is sampled by itself."""
        try:
            self._keep(_of_alone(drawn))
        except Exception:
            if len(drawn) == 1:
                log.exception("what was answered could not be sampled")
                return
            for one in drawn:
                self._sample_alone([one])

    def _keep(self, samples: Samples | None) -> None:
        if samples is not None and (kept := self._outbox.offer(samples)):
            self._kept.append((samples.model, kept))

    def _count(self) -> None:
        rows, refused, kept = Counter[tuple[str, str]](), Counter[tuple[str, str, str]](), Counter[str]()
        alike: dict[tuple[str, Role], list[_Served]] = {}
        for of in taken(self._served):
            alike.setdefault((of.model, of.role), []).append(of)
        for (model, role), served in alike.items():
            took: dict[int, list[float]] = {}
            for of in served:
                took.setdefault(of.ran, []).append(of.seconds)
                rows[model, role] += of.rows
                if of.refused:
                    refused[model, role, of.action] += of.refused
            self._metrics.ran(model, role, [of.seconds for of in served])
            if model in self._paces:
                for ran, seconds in took.items():
                    self._paces[model].took(ran, *seconds)
        for model, samples in taken(self._kept):
            kept[model] += samples
        self._metrics.served(rows, refused, kept)


def _served(asking: Asking) -> list[_Served]:
    """The runs of a batch. A request whose rows two runs answered was answered by the last."""
    pair, found = asking.pair, []
    for ran, run in asking.runs:
        lines, rows = run.said.refused, ran
        if len(asking.runs) > 1:
            own = [part for part in asking.parts.values() if part.run is run]
            lines = [line for part in own for line in lines[part.start : part.stop]]
            rows = len(lines)
        refused = sum(lines) if True in lines else 0
        found.append(_Served(pair.name, run.role, pair.action, ran, run.seconds, rows, refused))
    return found


def _of_batch(asking: Asking, now: float) -> Iterator[Samples | None]:
    """Of each run of a batch, those of the requests that it answered that are to be kept."""
    pair, most = asking.pair, asking.pair.sampler.most
    draws = [draw(request_id, pair.sampler.salt) for request_id in asking.ids]
    drawn = [place for place, number in enumerate(draws) if number < most]
    for _, run in asking.runs:
        places = [place for place in drawn if asking.parts[place].run is run]
        if places:
            said = rows_at([(asking.parts[place].start, asking.parts[place].stop) for place in places])
            ids, numbers = [asking.ids[place] for place in places], [draws[place] for place in places]
            outputs = {pair.output: run.outputs[pair.output][said]}
            yield _kept(
                pair, asking.batch.part(places), outputs, ids, numbers, [run] * len(places), [now] * len(places)
            )


def _of_alone(drawn: Sequence[_Drawn]) -> Samples | None:
    """Those that are to be kept of requests that were answered each by itself."""
    pair = drawn[0].asking.pair
    batch = Batch.of(pair, [one.asking.batch.requests[0] for one in drawn])
    runs = [one.asking.parts[0].run for one in drawn]
    outputs = below([{pair.output: run.outputs[pair.output]} for run in runs])
    ids, numbers, times = zip(*[(one.asking.ids[0], one.number, one.now) for one in drawn], strict=True)
    return _kept(pair, batch, outputs, ids, numbers, runs, times)


def _kept(
    pair: Pair,
    batch: Batch,
    outputs: Tensors,
    ids: Sequence[str],
    draws: Sequence[float],
    runs: Sequence[Run],
    times: Sequence[float],
) -> Samples | None:
    """What is kept of requests, each with its id, its draw, its run and when that was."""
    drawn, inclusion = np.array(draws), _inclusions(pair, batch)
    samples = Samples(
        model=pair.name,
        baseline_digest=pair.plan.baseline_digest,
        compressed_digest=pair.plan.compressed_digest,
        scopes=pair.subgroups.scopes,
        request_id=tuple(ids),
        rows=np.array(batch.sizes, np.int64),
        time=np.array(times, np.float64),
        served_by_baseline=np.array([run.role is Role.BASELINE for run in runs]),
        draw=drawn,
        inclusion=inclusion,
        seconds=np.array([run.seconds for run in runs]),
        member=batch.member,
        inputs=batch.inputs,
        outputs=outputs,
    )
    if not pair.sampler.floors:  # all of them, then: each was drawn
        return samples
    chosen = drawn < inclusion
    return samples.take(chosen) if chosen.any() else None


def _inclusions(pair: Pair, batch: Batch) -> Floats:
    if not pair.sampler.floors:
        return np.full(len(batch.ends), pair.sampler.rate)
    spans = [batch.member[batch.start(place) : end] for place, end in enumerate(batch.ends)]
    return np.array([inclusion_of(pair, span) for span in spans])
