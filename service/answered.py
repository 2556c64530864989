"""What has been answered, until it is sampled and counted: no caller waits for that, and many at a time cost less."""

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np

from monitors.records import Ints, Role
from monitors.samples import Samples
from monitors.sampling import draw
from service.adapters.metrics import Metrics
from service.batch import Asking, Run
from service.outbox import Outbox
from service.pace import Pace
from service.sampling import inclusion_of, sample_of

log = logging.getLogger(__name__)


class Answered:
    """Samples go to the outbox, counts to the metrics, what runs took to the paces. Whoever looks at the metrics sees
    all of it.
    """

    def __init__(self, outbox: Outbox, metrics: Metrics, paces: Mapping[str, Pace]) -> None:
        self._outbox = outbox
        self._metrics = metrics
        self._paces = paces
        self._waiting: deque[tuple[Asking, float]] = deque()
        metrics.before(self.settle)

    def __len__(self) -> int:
        """Batches that wait."""
        return len(self._waiting)

    def note(self, asking: Asking, now: float) -> None:
        """A batch was answered."""
        self._waiting.append((asking, now))

    def settle(self) -> None:
        """Sample and count all that wait."""
        done: list[Asking] = []
        kept = Counter[str]()
        with suppress(IndexError):  # another thread may be as far
            while self._waiting:
                asking, now = self._waiting.popleft()
                done.append(asking)
                try:
                    self._sample(asking, now, kept)
                except Exception:  # what was answered is answered, and others wait
                    log.exception("what was answered could not be sampled")
        for model, samples in kept.items():
            self._metrics.samples.labels(model).inc(samples)
        self._count(done)

    def _sample(self, asking: Asking, now: float, kept: Counter[str]) -> None:
        pair, batch = asking.pair, asking.batch
        most, salt = pair.sampler.most, pair.sampler.salt
        draws = [draw(request_id, salt) for request_id in asking.ids]
        drawn = [place for place, number in enumerate(draws) if number < most]
        if len(draws) == 1 and drawn:
            part = asking.parts[0]
            run, said = part.run, part.outputs([pair.output])
            sample = sample_of(
                pair, asking.ids[0], draws[0], run.role, batch.inputs, said, batch.member, run.seconds, now
            )
            kept[pair.name] += self._outbox.offer(sample) if sample else 0
        elif drawn:
            for _, run in asking.runs:
                chosen = [place for place in drawn if asking.parts[place].run is run] if len(asking.runs) > 1 else drawn
                if (samples := _samples_of(asking, run, chosen, draws, now)) is not None:
                    kept[pair.name] += self._outbox.offer(samples)

    def _count(self, done: Sequence[Asking]) -> None:
        took = defaultdict[tuple[str, Role, int], list[float]](list)
        rows, refused = Counter[tuple[str, str]](), Counter[tuple[str, str, str]]()
        for asking in done:
            name = asking.pair.name
            for count, run in asking.runs:
                took[name, run.role, count].append(run.seconds)
            for part in asking.parts.values():
                role, lines = part.run.role, part.run.said.refused[part.start : part.stop]
                rows[name, role] += len(lines)
                if True in lines:
                    refused[name, role, asking.pair.action] += sum(lines)
        for (name, role, count), seconds in took.items():
            self._metrics.ran(name, role, seconds)
            if name in self._paces:
                self._paces[name].took(count, *seconds)
        self._metrics.served(rows, refused)


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
