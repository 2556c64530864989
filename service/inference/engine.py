"""The data plane, free of any transport: requests in, answers out, and perhaps samples for the shadow.

Nothing here waits: no lock is held across a model's run, no broker, disk or monitor is asked. If the model that should
answer fails, the other one does. Requests are answered in batches, and everything that can be is done once a batch.
"""

import itertools
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from tightrope.monitors.answer_summary import glance
from tightrope.monitors.compare import Scale
from tightrope.monitors.records import MODEL_SCOPE, Event, Fault, Role
from tightrope.monitors.sampling import draw
from tightrope.service.adapters.ports import RunFailedError, UnreachableError
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.errors import UnknownModelError
from tightrope.service.inference.batch import Asking, Batch, Part, Run, response_of, together, wanted_outputs
from tightrope.service.inference.decisions import UnreadableError, decision_of
from tightrope.service.inference.failures import Failures, refusal
from tightrope.service.inference.model_pair import Pair
from tightrope.service.outbox import Outbox
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.routing.fallback_limiter import Capacity
from tightrope.service.routing.router import Router

TIE = 1e-9
"""Weight of a request's own random number: it decides between answers that are equally uncertain."""

Answer = InferResponse | Exception
"""What becomes of a request: one that cannot be answered has its own error."""


class Recorder(Protocol):
    """What samples and counts answers, off the request path."""

    def note(self, asking: Asking, now: float) -> None:
        """Take an answered batch, and the seconds since the epoch when it was answered."""

    def sample(self) -> int:
        """Sample every request noted since the last call, and return how many there were."""


class Gateway:
    """Serves every pair. ``clock`` gives seconds since the epoch; ``recorder`` takes what was answered."""

    def __init__(
        self,
        pairs: Mapping[str, Pair],
        router: Router,
        outbox: Outbox,
        metrics: Metrics,
        recorder: Recorder,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.pairs = pairs
        self.router = router
        self.metrics = metrics
        self._outbox = outbox
        self._clock = clock
        self._prefix = uuid.uuid4().hex[:16]
        self._counter = itertools.count()
        self._failures = Failures(outbox, metrics, clock)
        self._capacities: dict[str, Capacity] = {}
        self._recorder = recorder

    def pair(self, model: str, version: str | None = None) -> Pair:
        """The pair of that name.

        Raises:
            UnknownModelError: when it, or that version of it, is not served here.
        """
        pair = self.pairs.get(model)
        if pair is None:
            raise UnknownModelError(f"model {model[:80]!r} is not served here; there are {', '.join(self.pairs)}")
        if version is not None and version != pair.version:
            raise UnknownModelError(f"model {model!r} has no version {version[:80]!r}; it has {pair.version!r}")
        return pair

    def is_served(self, model: str, version: str | None = None) -> bool:
        """Whether there is a pair of that name, in this version where one is named."""
        pair = self.pairs.get(model)
        return pair is not None and version in {None, pair.version}

    def infer(self, pair: Pair, request: InferRequest, arrived: float | None = None) -> InferResponse:
        """Answer one request alone, which was there whole at ``arrived`` (of `time.perf_counter`).

        Raises:
            CallerError: when the inputs differ in rows, or neither model can run on them.
            ServerError: when both models give what cannot be an answer.
        """
        answer = self.answer(pair, [request], [arrived])[0]
        self.afterwards()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def answer(self, pair: Pair, requests: Sequence[InferRequest], arrived: Sequence[float | None]) -> Sequence[Answer]:
        """Answer requests together; those that cannot be are answered alone, and cost the others nothing. Whoever has
        handed out the answers calls `afterwards`.
        """
        if len(requests) == 1 or together(pair, requests):
            try:
                return self._together(pair, requests, arrived)
            except Exception as error:  # noqa: BLE001 - whatever one request brought about must not fail the others
                if len(requests) == 1:
                    return [error]
        return [self.answer(pair, [one], [at])[0] for one, at in zip(requests, arrived, strict=True)]

    def _together(
        self, pair: Pair, requests: Sequence[InferRequest], arrived: Sequence[float | None]
    ) -> Sequence[Answer]:
        ids = [request.id or f"{self._prefix}-{next(self._counter):x}" for request in requests]
        batch = Batch.of(pair, requests)
        asking = Asking(pair, batch, ids, self.router.roles(pair.name, batch))
        spared = self._spared(asking) if pair.fallback_seconds is not None else ()
        if spared and self._capacities[pair.name].share < 1.0:
            self._ask_all(asking, [Role.COMPRESSED if p in spared else to for p, to in enumerate(asking.routed)])
            self._ration(asking, spared)
        else:
            self._ask_all(asking, asking.routed)
        if pair.action == "escalate":
            self._escalate(asking, spared)
        for place in spared:
            if (at := arrived[place]) is not None:
                self._learn(pair, self._capacities[pair.name], time.perf_counter() - at)
        answers = [response_of(asking, place) for place in range(len(requests))]
        self._recorder.note(asking, self._clock())  # not before: whoever cannot be answered so is asked again
        return answers

    def afterwards(self) -> int:
        """Sample what has been answered, so many requests: no caller need wait for it."""
        return self._recorder.sample()

    def _spared(self, asking: Asking) -> Sequence[int]:
        """The requests that fall back only because all of the model does, where the baseline may be not enough."""
        pair, batch = asking.pair, asking.batch
        if pair.fallback_seconds is None or Role.BASELINE not in asking.routed:
            return ()
        self._capacities.setdefault(pair.name, Capacity(pair.fallback_seconds))
        spans = ((place, batch.member[batch.start(place) : end]) for place, end in enumerate(batch.ends))
        return [place for place, member in spans if self.router.spared(pair.name, member)]

    def _ask_all(self, asking: Asking, roles: Sequence[Role]) -> None:
        """Have every request answered by its role."""
        if roles.count(roles[0]) == len(roles):
            self._ask(asking, range(len(roles)), roles[0])
            return
        for role in set(roles):
            self._ask(asking, [place for place, to in enumerate(roles) if to is role], role)

    def _ask(self, asking: Asking, places: Sequence[int], role: Role) -> None:
        """Have ``role`` answer these requests, or the other one where it fails."""
        part = asking.batch.part(places)
        try:
            run = self._run(asking.pair, part, role)
        except RunFailedError as failure:
            if len(places) > 1 and not isinstance(failure, UnreachableError):
                raise  # whose request it is, is found out by asking each alone
            run = self._instead(asking.pair, part, role, failure)
            for place in places:
                asking.tell(place, fallback=str(role))
        asking.give(places, part, run)

    def _instead(self, pair: Pair, part: Batch, role: Role, failure: RunFailedError) -> Run:
        try:
            run = self._run(pair, part, role.other)
        except RunFailedError as second:
            raise refusal(second) from second
        self._failures.notice(pair, role, failure)
        return run

    def _ration(self, asking: Asking, spared: Sequence[int]) -> None:
        """The baseline's answer instead, for those of the least certain that it can bear."""
        capacity, wanted = self._capacities[asking.pair.name], []
        regression = asking.pair.decision.scale is Scale.REGRESSION
        for place in spared:
            part = asking.parts[place]
            if part.run.role is Role.BASELINE:
                continue
            uncertainty = 0.0 if regression else part.uncertainty
            if capacity.takes(uncertainty + TIE * draw(asking.ids[place], "capacity")):
                wanted.append(place)
            else:
                asking.tell(place, over_capacity=True)
        if wanted:
            self._ask(asking, wanted, Role.BASELINE)

    def _escalate(self, asking: Asking, spared: Sequence[int]) -> None:
        """Ask the baseline too; if it fails, the compressed model's unsure answer stands, refused."""
        unsure = [place for place in range(len(asking.ids)) if place not in spared and _is_unsure(asking.parts[place])]
        if not unsure:
            return
        for place in unsure:
            asking.tell(place, escalated=True)
        part = asking.batch.part(unsure)
        try:
            run = self._run(asking.pair, part, Role.BASELINE)
        except RunFailedError as failure:
            if len(asking.ids) > 1 and not isinstance(failure, UnreachableError):
                raise
            self._failures.notice(asking.pair, Role.BASELINE, failure)
            return
        asking.give(unsure, part, run)

    def _run(self, pair: Pair, batch: Batch, role: Role) -> Run:
        names = wanted_outputs(pair, batch)
        began = time.perf_counter()
        outputs = pair.models[role].run(batch.inputs, names)
        seconds = time.perf_counter() - began
        said = glance(decision_of(pair, outputs, batch.rows), pair.decision, role)
        if any(said.fault):
            raise UnreadableError(f"{pair.output}: {Fault(max(said.fault)).name.lower()}")
        if len(batch.requests) > 1 and any(not o.ndim or len(o) != batch.rows for o in outputs.values()):
            raise UnreadableError("an output has not one row for each row asked")
        return Run(role, outputs, said, seconds)

    def _learn(self, pair: Pair, capacity: Capacity, seconds: float) -> None:
        """See how long answers of the fallback take; tell when the baseline is not enough, and when it is again."""
        window = capacity.took(seconds, time.perf_counter())
        if window is None:
            return
        self.metrics.bearable.labels(pair.name).set(window.after)
        if window.turns:
            kind = "fallback-rationed" if window.after < 1.0 else "fallback-whole"
            reason = f"{window.late} of {window.answers} answers took longer than {capacity.seconds:g} s"
            detail = {"share": window.after, "late": window.late, "answers": window.answers}
            self._outbox.note(
                Event(uuid.uuid4().hex, self._clock(), pair.name, kind, MODEL_SCOPE, "gateway", reason, detail)
            )


def _is_unsure(part: Part) -> bool:
    """Whether the baseline could know better."""
    return part.run.role is Role.COMPRESSED and part.unsure
