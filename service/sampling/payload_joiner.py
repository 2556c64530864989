"""Models that are served without this gateway: events of their requests and answers become samples for the shadow.

A request's event and its answer's come in any order, and one of them perhaps never: each waits for the other, in
bounded memory and time. What becomes of every event is counted.
"""

import contextlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tightrope.monitors.records import Sample
from tightrope.monitors.sampling import draw
from tightrope.service.adapters.open_inference.codec import HEADER_LENGTH, OK, Reply, decode
from tightrope.service.adapters.ports import Bus, RecordTooLargeError, insist
from tightrope.service.adapters.prometheus.lag import Behind
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import DEAD, INTAKE, PAYLOADS, topic
from tightrope.service.adapters.wire import cloudevents
from tightrope.service.adapters.wire.cloudevents import PayloadEvent
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.config.models import Payloads
from tightrope.service.errors import TightropeError
from tightrope.service.inference.decisions import decision_of, sample_of
from tightrope.service.inference.model_pair import Pair
from tightrope.service.outbox import MOST_ROWS, Outbox
from tightrope.service.protocol.rest import InferRequest, decode_request, parse_header_length

log = logging.getLogger(__name__)

POLL = 256
PATIENCE = 0.5
"""Most records of one poll, and seconds to wait for the first."""

MOST_BYTES = 128 * 1024 * 1024
"""Bytes of one model's events that may wait."""


class Both(NamedTuple):
    """A request with its answer."""

    request: PayloadEvent
    response: PayloadEvent


class Joiner:
    """Holds one model's halves until the other comes, at most ``most`` of them and each ``wait`` seconds; ``count`` is
    told of those that are lost, and why. Times are of any clock that only goes forward.
    """

    def __init__(self, most: int, wait: float, count: Callable[[str], None]) -> None:
        self._most = most
        self._wait = wait
        self._count = count
        self._waiting: OrderedDict[str, tuple[float, PayloadEvent]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, event: PayloadEvent, now: float) -> Both | None:
        """Both halves, if this is the second; the same half again is passed over."""
        self.expire(now)
        known = self._waiting.get(event.id)
        if known is None:
            self._hold(event, now)
            return None
        if known[1].kind == event.kind:
            self._count("duplicate")
            return None
        first = self._drop(event.id)
        return Both(first, event) if first.kind == "request" else Both(event, first)

    def expire(self, now: float) -> None:
        """Give up those whose other half did not come in time."""
        while self._waiting and now - next(iter(self._waiting.values()))[0] > self._wait:
            self._drop(next(iter(self._waiting)))
            self._count("expired")

    def _hold(self, event: PayloadEvent, now: float) -> None:
        self._waiting[event.id] = now, event
        self._bytes += event.size
        while len(self._waiting) > self._most or self._bytes > MOST_BYTES:
            self._drop(next(iter(self._waiting)))
            self._count("crowded")

    def _drop(self, id_: str) -> PayloadEvent:
        _, event = self._waiting.pop(id_)
        self._bytes -= event.size
        return event


class PayloadLoop:
    """Reads the topic of payload events, and offers a sample of every pair of them that the sampler wants."""

    def __init__(
        self,
        bus: Bus,
        pairs: Mapping[str, Pair],
        watched: Mapping[str, Payloads],
        outbox: Outbox,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._pairs = pairs
        self._watched = watched
        self._outbox = outbox
        self._metrics = metrics
        self._clock = clock
        self._joiners = {name: self._joiner(name, of) for name, of in watched.items()}
        self._stopping = threading.Event()
        self._events = bus.subscribe(topic(PAYLOADS), group=INTAKE)
        self._behind = Behind(metrics, INTAKE, self._events)
        self._thread = threading.Thread(target=self._run, name="payloads", daemon=True)

    def start(self) -> None:
        """Begin reading."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop; halves that wait are lost."""
        self._stopping.set()
        self._thread.join(timeout)

    def step(self, timeout: float) -> int:
        """Deal with what has arrived; returns the number of records."""
        records = self._events.poll(POLL, timeout)
        self._behind.look()
        for record in records:
            try:
                self._take(cloudevents.decode(record.value))
            except WireError as error:
                self._park(record.value, record.topic, error)
        for joiner in self._joiners.values():
            joiner.expire(time.monotonic())
        if records and not self._stopping.is_set():  # told to stop, `insist` may have given up
            self._events.commit()
        return len(records)

    def _joiner(self, name: str, of: Payloads) -> Joiner:
        return Joiner(of.most_waiting, of.wait_seconds, lambda outcome: self._count(name, outcome))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.step(PATIENCE)
            except Exception:
                log.exception("payload events could not be read; trying again")
                self._stopping.wait(PATIENCE)
        self._events.close()

    def _take(self, event: PayloadEvent) -> None:
        joiner = self._joiners.get(event.model)
        if joiner is None:
            raise WireError(f"model: {event.model!r} takes no payload events here")
        both = joiner.take(event, time.monotonic())
        if both is None:
            return
        try:
            sample = sample_from(self._pairs[event.model], self._watched[event.model], both, self._clock())
        except TightropeError as error:
            self._count(event.model, "unreadable", 2)
            for half in both:
                self._park(cloudevents.encode(half, event.model), topic(PAYLOADS), error)
            return
        self._count(event.model, "joined", 2)
        if sample is not None and self._outbox.offer(sample):
            self._metrics.samples.labels(event.model).inc()

    def _count(self, model: str, outcome: str, events: int = 1) -> None:
        self._metrics.payloads.labels(model, outcome).inc(events)

    def _park(self, value: bytes, from_: str, error: TightropeError) -> None:
        """Put what cannot be used aside, with the reason, for people to see."""
        self._metrics.dead.labels(from_).inc()
        with contextlib.suppress(RecordTooLargeError):  # it came from the bus, but may have grown on its way back
            insist(self._bus, topic(DEAD), value, " ".join(f"{from_}: {error}".split())[:300], self._stopping)


def sample_from(pair: Pair, of: Payloads, both: Both, now: float) -> Sample | None:
    """The sample of a request that somebody else answered, or None when it is not to be kept.

    Raises:
        TightropeError: when either body is not what the pair takes and gives.
    """
    request = _request(pair, both.request)
    length = both.response.header(HEADER_LENGTH)
    outputs = decode(Reply(OK, {HEADER_LENGTH: length} if length else {}, both.response.data), [pair.output])
    rows = len(next(iter(request.inputs.values())))
    if rows > MOST_ROWS or any(len(tensor) != rows for tensor in request.inputs.values()):
        raise WireError(f"inputs: must all have the same number of rows, at most {MOST_ROWS}")
    decision_of(pair, outputs, rows)
    member = pair.subgroups.members(request.inputs, [request.parameters], [rows])
    began, ended = both.request.time, both.response.time
    seconds = max(ended - began, 0.0) if began is not None and ended is not None else 0.0
    id_ = request.id or both.request.id
    number = draw(id_, pair.sampler.salt)
    return sample_of(pair, id_, number, of.answered_by, request.inputs, outputs, member, seconds, now)


def _request(pair: Pair, event: PayloadEvent) -> InferRequest:
    """The body of a request; an output that the pair does not know does not matter here."""
    length = parse_header_length(event.header(HEADER_LENGTH))
    return decode_request(event.data, length, pair.inputs, pair.outputs)
