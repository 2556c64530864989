"""What has been answered, until it is sampled and counted: no caller waits for that, and many at a time cost less."""

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from monitors.records import Ints, Role
from monitors.samples import Samples
from monitors.sampling import draw
from service.adapters.metrics import Metrics, taken
from service.batch import Asking, Run
from service.outbox import Outbox
from service.pace import Pace
from service.sampling import inclusion_of, sample_of

log = logging.getLogger(__name__)


MOST_UNCOUNTED = 64
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
        """Sample all that wait."""
        for asking, now in taken(self._waiting):
            self._served += _served(asking)
            try:
                if kept := self._sample(asking, now):
                    self._kept.append((asking.pair.name, kept))
            except Exception:  # what was answered is answered, and others wait
                log.exception("what was answered could not be sampled")
        if len(self._served) >= MOST_UNCOUNTED:
            self._count()

    def settle(self) -> None:
        """Sample and count all that wait."""
        self.sample()
        self._count()

    def _sample(self, asking: Asking, now: float) -> int:
        pair, ids = asking.pair, asking.ids
        most, salt = pair.sampler.most, pair.sampler.salt
        if len(ids) == 1:
            number = draw(ids[0], salt)
            return self._sample_one(asking, number, now) if number < most else 0
        draws = [draw(request_id, salt) for request_id in ids]
        drawn = [place for place, number in enumerate(draws) if number < most]
        kept = 0
        for _, run in asking.runs:
            chosen = [place for place in drawn if asking.parts[place].run is run] if len(asking.runs) > 1 else drawn
            samples = _samples_of(asking, run, chosen, draws, now)
            kept += self._outbox.offer(samples) if samples else 0
        return kept

    def _sample_one(self, asking: Asking, number: float, now: float) -> int:
        pair, batch, part = asking.pair, asking.batch, asking.parts[0]
        run, said = part.run, part.outputs([pair.output])
        sample = sample_of(pair, asking.ids[0], number, run.role, batch.inputs, said, batch.member, run.seconds, now)
        return self._outbox.offer(sample) if sample else 0

    def _count(self) -> None:
        took = defaultdict[tuple[str, Role, int], list[float]](list)
        rows, refused, kept = Counter[tuple[str, str]](), Counter[tuple[str, str, str]](), Counter[str]()
        for of in taken(self._served):
            took[of.model, of.role, of.ran].append(of.seconds)
            rows[of.model, of.role] += of.rows
            if of.refused:
                refused[of.model, of.role, of.action] += of.refused
        for (model, role, ran), seconds in took.items():
            self._metrics.ran(model, role, seconds)
            if model in self._paces:
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


def _samples_of(asking: Asking, run: Run, drawn: Sequence[int], draws: Sequence[float], now: float) -> Samples | None:
    """Those of the requests at these places that are to be kept, if any is; this run answered them."""
    pair, batch = asking.pair, asking.batch
    rates = dict.fromkeys(drawn, pair.sampler.rate)
    if pair.sampler.floors:
        rates = {place: inclusion_of(pair, batch.member[batch.start(place) : batch.ends[place]]) for place in drawn}
    places = [place for place in drawn if draws[place] < rates[place]]
    if not places:
        return None
    parts = [asking.parts[place] for place in places]
    asked = _rows([(batch.start(place), batch.ends[place]) for place in places])
    said = _rows([(part.start, part.stop) for part in parts])
    return Samples(
        model=pair.name,
        baseline_digest=pair.plan.baseline_digest,
        compressed_digest=pair.plan.compressed_digest,
        scopes=pair.subgroups.scopes,
        request_id=tuple([asking.ids[place] for place in places]),
        rows=np.array([part.stop - part.start for part in parts], np.int64),
        time=np.full(len(places), now),
        served_by_baseline=np.full(len(places), run.role is Role.BASELINE),
        draw=np.array([draws[place] for place in places]),
        inclusion=np.array([rates[place] for place in places]),
        seconds=np.full(len(places), run.seconds),
        member=batch.member[asked],
        inputs={name: tensor[asked] for name, tensor in batch.inputs.items()},
        outputs={pair.output: run.outputs[pair.output][said]},
    )


def _rows(spans: Sequence[tuple[int, int]]) -> Ints:
    """The places of rows that stand from one place up to another."""
    starts, ends = np.array(spans).T
    if (ends - starts == 1).all():
        return np.asarray(starts)
    return np.concatenate([np.arange(start, end) for start, end in spans])
