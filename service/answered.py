"""What has been answered, until it is sampled and counted: no caller waits for that, and many at a time cost less."""

import logging
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

from monitors.records import Sample
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
        with suppress(IndexError):  # another thread may be as far
            while self._waiting:
                asking, now = self._waiting.popleft()
                done.append(asking)
                try:
                    self._sample(asking, now)
                except Exception:  # what was answered is answered, and others wait
                    log.exception("what was answered could not be sampled")
        self._count(done)

    def _sample(self, asking: Asking, now: float) -> None:
        pair, kept = asking.pair, 0
        most, salt = pair.sampler.most, pair.sampler.salt
        for place, request_id in enumerate(asking.ids):
            number = draw(request_id, salt)
            if number < most:
                sample = _sample_of(asking, place, number, now)
                kept += sample is not None and self._outbox.offer(sample)
        if kept:
            self._metrics.samples.labels(pair.name).inc(kept)

    def _count(self, done: Sequence[Asking]) -> None:
        rows, refused = Counter[tuple[str, str]](), Counter[tuple[str, str, str]]()
        for asking in done:
            name, pace = asking.pair.name, self._paces.get(asking.pair.name)
            for count, run in asking.runs:
                self._metrics.ran(name, run.role, run.seconds)
                if pace is not None:
                    pace.took(count, run.seconds)
            for part in asking.parts.values():
                role, lines = part.run.role, part.run.said.refused[part.start : part.stop]
                rows[name, role] += len(lines)
                if True in lines:
                    refused[name, role, asking.pair.action] += sum(lines)
        self._metrics.served(rows, refused)


def _sample_of(asking: Asking, place: int, number: float, now: float) -> Sample | None:
    pair, batch, part = asking.pair, asking.batch, asking.parts[place]
    run, said = part.run, part.outputs([pair.output])
    member, asked = batch.member[batch.start(place) : batch.ends[place]], batch.requests[place].inputs
    return sample_of(pair, asking.ids[place], number, run.role, asked, said, member, run.seconds, now)
