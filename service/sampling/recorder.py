"""What has been answered, until it is sampled and counted: no caller waits for that, and many at a time cost less."""

import logging
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tightrope.monitors.records import Floats, Role
from tightrope.monitors.sample_batch import Samples, below
from tightrope.monitors.sampling import draw
from tightrope.service.adapters.prometheus.metrics import Metrics, taken
from tightrope.service.inference.autotune import Pace
from tightrope.service.inference.batch import Asking, Batch, Run, rows_at
from tightrope.service.inference.decisions import inclusion_of
from tightrope.service.inference.model_pair import Pair
from tightrope.service.outbox import Outbox

log = logging.getLogger(__name__)


MOST_UNCOUNTED = 256
"""Runs after which these are counted, whether anybody looks or not: the paces learn by it."""


MOST_TOGETHER, MOST_BYTES = 256, 1 << 20
"""Samples that are cut in one go, of more than one batch, and bytes of the batches' inputs."""

LOST = "what was answered could not be sampled"


class _Served(Struct):
    """What is to be counted of a run: its rows and seconds, the rows that it answered, and those of them refused."""

    model: str
    role: Role
    action: str
    ran: int
    seconds: float
    rows: int
    refused: int


class _Drawn(Struct):
    """Requests of a batch that are likely to be kept: the run that answered them, their places, their draws, and when
    that was.
    """

    asking: Asking
    run: Run
    places: Sequence[int]
    draws: Sequence[float]
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

    def sample(self) -> int:
        """Sample all requests that wait, and say how many; what was answered by one pair, together."""
        waiting: dict[int, list[_Drawn]] = {}
        requests = 0
        for asking, now in taken(self._waiting):
            requests += len(asking.ids)
            self._served += _served(asking)
            try:
                drawn = _drawn(asking, now)
            except Exception:  # what was answered is answered, and others wait
                log.exception(LOST)
                continue
            if drawn:
                waiting.setdefault(id(asking.pair), []).extend(drawn)
        for drawn in waiting.values():
            for together in _cut(drawn):
                self._sample(together)
        if len(self._served) >= MOST_UNCOUNTED:
            self._count()
        return requests

    def settle(self) -> None:
        """Sample and count all that wait."""
        self.sample()
        self._count()

    def _sample(self, drawn: Sequence[_Drawn]) -> None:
        """What cannot stand below each other, because it differs in width, is sampled by itself."""
        try:
            samples = _kept(drawn)
            if samples is not None and (kept := self._outbox.offer(samples)):
                self._kept.append((samples.model, kept))
        except Exception:
            if len(drawn) == 1:
                log.exception(LOST)
                return
            for one in drawn:
                self._sample([one])

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


def _drawn(asking: Asking, now: float) -> Sequence[_Drawn]:
    """Those requests of a batch that any of their subgroups would keep, by the run that answered them."""
    ids, most, salt = asking.ids, asking.pair.sampler.most, asking.pair.sampler.salt
    if len(ids) == 1:
        number = draw(ids[0], salt)
        return [_Drawn(asking, asking.parts[0].run, (0,), (number,), now)] if number < most else ()
    draws = [draw(request_id, salt) for request_id in ids]
    places, found = [place for place, number in enumerate(draws) if number < most], []
    for _, run in asking.runs:
        own = [at for at in places if asking.parts[at].run is run] if len(asking.runs) > 1 else places
        if own:
            found.append(_Drawn(asking, run, own, [draws[place] for place in own], now))
    return found


def _cut(drawn: Sequence[_Drawn]) -> Iterator[Sequence[_Drawn]]:
    """In parts that are small enough for one record."""
    part: list[_Drawn] = []
    samples = size = 0
    for one in drawn:
        more = one.asking.batch.nbytes
        if part and (samples + len(one.places) > MOST_TOGETHER or size + more > MOST_BYTES):
            yield part
            part, samples, size = [], 0, 0
        part.append(one)
        samples += len(one.places)
        size += more
    yield part


def _kept(drawn: Sequence[_Drawn]) -> Samples | None:
    """Those that are kept, of requests to one pair."""
    pair = drawn[0].asking.pair
    batch = Batch.joined([one.asking.batch.part(one.places) for one in drawn])
    draws, inclusion = np.array(list(chain.from_iterable([one.draws for one in drawn]))), _inclusions(pair, batch)
    each = [one for one in drawn for _ in one.places]
    samples = Samples(
        model=pair.name,
        baseline_digest=pair.plan.baseline_digest,
        compressed_digest=pair.plan.compressed_digest,
        scopes=pair.subgroups.scopes,
        request_id=tuple([one.asking.ids[place] for one in drawn for place in one.places]),
        rows=np.array(batch.sizes, np.int64),
        time=np.array([one.now for one in each], np.float64),
        served_by_baseline=np.array([one.run.role is Role.BASELINE for one in each]),
        draw=draws,
        inclusion=inclusion,
        seconds=np.array([one.run.seconds for one in each]),
        member=batch.member,
        inputs=batch.inputs,
        outputs=below([{pair.output: _said(one)} for one in drawn]),
    )
    if not pair.sampler.floors:  # all of them, then: each was drawn
        return samples
    chosen = draws < inclusion
    return samples.take(chosen) if chosen.any() else None


def _said(drawn: _Drawn) -> NDArray[Any]:
    """What decided, of these requests."""
    outputs, parts = drawn.run.outputs[drawn.asking.pair.output], drawn.asking.parts
    if len(drawn.places) == len(parts) and len(drawn.asking.runs) == 1:
        return outputs
    return outputs[rows_at([(parts[place].start, parts[place].stop) for place in drawn.places])]


def _inclusions(pair: Pair, batch: Batch) -> Floats:
    if not pair.sampler.floors:
        return np.full(len(batch.ends), pair.sampler.rate)
    spans = [batch.member[batch.start(place) : end] for place, end in enumerate(batch.ends)]
    return np.array([inclusion_of(pair, span) for span in spans])
