"""What has been answered, until it is sampled and counted: no caller waits for that, and many at a time cost less."""

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

from monitors.records import Role, Sample
from monitors.sampling import draw
from service.adapters.metrics import Metrics
from service.batch import Asking
from service.outbox import Outbox
from service.pace import Pace
from service.sampling import sample_of

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
        most, salt = asking.pair.sampler.most, asking.pair.sampler.salt
        for place, request_id in enumerate(asking.ids):
            number = draw(request_id, salt)
            if number < most:
                sample = _sample_of(asking, place, number, now)
                kept[asking.pair.name] += sample is not None and self._outbox.offer(sample)

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


def _sample_of(asking: Asking, place: int, number: float, now: float) -> Sample | None:
    pair, batch, part = asking.pair, asking.batch, asking.parts[place]
    run, said = part.run, part.outputs([pair.output])
    member, asked = batch.member[batch.start(place) : batch.ends[place]], batch.requests[place].inputs
    return sample_of(pair, asking.ids[place], number, run.role, asked, said, member, run.seconds, now)
