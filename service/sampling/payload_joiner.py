"""Consumer of payload events: joins the requests and answers of models that are served elsewhere into samples.

The two events of a request arrive in any order, and one of them may never arrive. The first waits for the other, in
bounded memory and time. Every event is counted by its outcome.
"""

import contextlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tightrope.monitors.intake.sampling import DrawKey, input_digest
from tightrope.monitors.records import Role, Sample, Tensors
from tightrope.service.adapters.dead_letters import describe_error, is_records_fault
from tightrope.service.adapters.denial_log import DenialLog
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.open_inference.codec import HTTP_OK, HttpReply, decode_response
from tightrope.service.adapters.ports import Bus, NotPermittedError, RecordTooLargeError, publish_blocking
from tightrope.service.adapters.prometheus.lag import LagGauge
from tightrope.service.adapters.topics import DEAD, INTAKE_GROUP, PAYLOADS, topic
from tightrope.service.adapters.wire import cloudevents
from tightrope.service.adapters.wire.cloudevents import PayloadEvent
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.config.models import PayloadsSection
from tightrope.service.errors import TightropeError
from tightrope.service.inference.batch import decision_output
from tightrope.service.inference.decisions import sample_of
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.outbox import MAX_RECORD_ROWS, Outbox
from tightrope.service.protocol.rest import HEADER_LENGTH, InferRequest, decode_request, parse_header_length
from tightrope.service.sampling.draws import caller_name

log = logging.getLogger(__name__)

PAYLOAD_POLL_RECORDS = 256
PAYLOAD_POLL_SECONDS = 0.5
"""Maximum records of one poll, and the time to wait for the first."""

MAX_WAITING_EVENT_BYTES = 128 * 1024 * 1024
"""Bytes of waiting events of one model."""


class EventPair(NamedTuple):
    """The events of a request and of its answer."""

    request: PayloadEvent
    response: PayloadEvent


class EventJoiner:
    """Holds the events of one model until their counterparts arrive.

    At most ``max_waiting`` events wait, each for at most ``timeout`` seconds of any monotonic clock. ``count`` gets
    the outcome of each event that is dropped: duplicate, expired or crowded.
    """

    def __init__(self, max_waiting: int, timeout: float, count: Callable[[str], None]) -> None:
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._count = count
        self._waiting: OrderedDict[str, tuple[float, PayloadEvent]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, event: PayloadEvent, now: float) -> EventPair | None:
        """Return the pair if this event completes one; otherwise hold the event, or drop it if it is a duplicate."""
        self.expire(now)
        waiting = self._waiting.get(event.id)
        if waiting is None:
            self._hold(event, now)
            return None
        if waiting[1].kind == event.kind:
            self._count("duplicate")
            return None
        first = self._drop(event.id)
        return EventPair(first, event) if first.kind == "request" else EventPair(event, first)

    def expire(self, now: float) -> None:
        """Drop the events that have waited too long."""
        while self._waiting and now - next(iter(self._waiting.values()))[0] > self._timeout:
            self._drop(next(iter(self._waiting)))
            self._count("expired")

    def _hold(self, event: PayloadEvent, now: float) -> None:
        self._waiting[event.id] = now, event
        self._bytes += event.size
        while len(self._waiting) > self._max_waiting or self._bytes > MAX_WAITING_EVENT_BYTES:
            self._drop(next(iter(self._waiting)))
            self._count("crowded")

    def _drop(self, id_: str) -> PayloadEvent:
        _, event = self._waiting.pop(id_)
        self._bytes -= event.size
        return event


class PayloadConsumer:
    """Reads the topic of payload events in a thread, and offers the outbox a sample of each pair the sampler keeps.

    ``watched`` holds the models that take payload events; ``clock`` gives seconds since the epoch.
    """

    def __init__(
        self,
        bus: Bus,
        pairs: Mapping[str, ModelPair],
        watched: Mapping[str, PayloadsSection],
        outbox: Outbox,
        metrics: GatewayMetrics,
        key: DrawKey,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._pairs = pairs
        self._watched = watched
        self._outbox = outbox
        self._metrics = metrics
        self._clock = clock
        self._key = key
        self._joiners = {name: self._joiner(name, section) for name, section in watched.items()}
        self._stopping = threading.Event()
        self._events = bus.subscribe(topic(PAYLOADS), group=INTAKE_GROUP)
        self._lag = LagGauge(metrics, INTAKE_GROUP, self._events)
        self._denials = DenialLog("payloads")
        self._thread = threading.Thread(target=self._run, name="payloads", daemon=True)

    def start(self) -> None:
        """Start reading."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop reading; waiting events are lost."""
        self._stopping.set()
        self._thread.join(timeout)

    def step(self, timeout: float) -> int:
        """Process the records of one poll; returns their number."""
        records = self._events.poll(PAYLOAD_POLL_RECORDS, timeout)
        self._lag.update()
        for record in records:
            try:
                self._process(cloudevents.decode(record.value))
            except Exception as error:
                if not is_records_fault(error):
                    raise
                self._park(record.value, record.topic, error)
        for joiner in self._joiners.values():
            joiner.expire(time.monotonic())
        if records and not self._stopping.is_set():  # when stopping, `publish_blocking` may have given up
            self._events.commit()
        return len(records)

    def _joiner(self, name: str, section: PayloadsSection) -> EventJoiner:
        return EventJoiner(section.most_waiting, section.wait_seconds, lambda outcome: self._count(name, outcome))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.step(PAYLOAD_POLL_SECONDS)
            except NotPermittedError as error:
                self._denials.write(error)
                self._stopping.wait(PAYLOAD_POLL_SECONDS)
            except Exception:
                log.exception("payload events could not be read; trying again")
                self._stopping.wait(PAYLOAD_POLL_SECONDS)
        self._events.close()

    def _process(self, event: PayloadEvent) -> None:
        joiner = self._joiners.get(event.model)
        if joiner is None:
            raise WireError(f"model: {event.model!r} takes no payload events here")
        pair = joiner.join(event, time.monotonic())
        if pair is None:
            return
        try:
            answered_by = self._watched[event.model].answered_by
            sample = sample_from(self._key, self._pairs[event.model], answered_by, pair, self._clock())
        except Exception as error:
            if not isinstance(error, TightropeError) and not is_records_fault(error):
                raise
            self._count(event.model, "unreadable", 2)
            for part in pair:
                self._park(cloudevents.encode(part, event.model), topic(PAYLOADS), error)
            return
        self._count(event.model, "joined", 2)
        if sample is not None and self._outbox.offer(sample):
            self._metrics.record_counts({"samples": {(event.model,): 1}})

    def _count(self, model: str, outcome: str, events: int = 1) -> None:
        self._metrics.record_payload_events(model, outcome, events)

    def _park(self, value: bytes, source: str, error: Exception) -> None:
        """Publish an unreadable record to the dead-letter topic, with the reason as its key."""
        self._metrics.record_dead(source)
        reason = f"{source}: {describe_error(error)}"[:300]
        with contextlib.suppress(RecordTooLargeError):  # encoded again, an event may be larger than its record was
            publish_blocking(self._bus, topic(DEAD), value, reason, self._stopping)


def sample_from(key: DrawKey, pair: ModelPair, answered_by: Role, events: EventPair, now: float) -> Sample | None:
    """The sample of a request that was answered elsewhere; None if the sampler does not keep it.

    Raises:
        TightropeError: when a body does not fit the pair's inputs or output.
    """
    request = _decode_request(pair, events.request)
    outputs = _decode_outputs(pair, events.response)
    rows = len(next(iter(request.inputs.values())))
    if rows > MAX_RECORD_ROWS or any(len(tensor) != rows for tensor in request.inputs.values()):
        raise WireError(f"inputs: must all have the same number of rows, at most {MAX_RECORD_ROWS}")
    decision_output(pair, outputs, rows)  # raises if the output does not fit the rows
    member = pair.subgroups.members(request.inputs, [request.parameters], [rows])
    began, ended = events.request.time, events.response.time
    seconds = max(ended - began, 0.0) if began is not None and ended is not None else 0.0
    id_ = request.id or events.request.id
    number = key.draw(pair.name, now, id_, input_digest(request.inputs))
    caller = key.caller(pair.name, caller_name(pair, request))
    return sample_of(pair, id_, number, answered_by, request.inputs, outputs, member, seconds, now, caller)


def _decode_request(pair: ModelPair, event: PayloadEvent) -> InferRequest:
    """Decode a request's body; the pair must have its inputs and the outputs that it names."""
    length = parse_header_length(event.header(HEADER_LENGTH))
    return pair.rows_first(decode_request(event.data, length, pair.declared_inputs, pair.outputs))


def _decode_outputs(pair: ModelPair, event: PayloadEvent) -> Tensors:
    """Decode the decision output of an answer's body."""
    length = event.header(HEADER_LENGTH)
    headers = {HEADER_LENGTH: length} if length else {}
    return decode_response(HttpReply(HTTP_OK, headers, event.data), [pair.output])
