"""Rationing of a whole model's fallback: which requests the baseline has capacity for, and what that costs them."""

import time
import uuid
from collections.abc import Callable, Sequence

from tightrope.monitors.intake.sampling import draw
from tightrope.monitors.records import MODEL_SCOPE, Event, Role
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.inference.batch import BatchExecution
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.outbox import Outbox
from tightrope.service.routing.fallback_limiter import FallbackLimiter
from tightrope.service.routing.router import Router

TIE_BREAK_WEIGHT = 1e-9
"""Weight of a request's own random number, which decides between answers that are equally uncertain."""


class FallbackRationing:
    """The fallback limiters of all pairs that have one. ``clock`` gives seconds since the epoch."""

    def __init__(
        self, router: Router, outbox: Outbox, metrics: GatewayMetrics, clock: Callable[[], float] = time.time
    ) -> None:
        self._router = router
        self._outbox = outbox
        self._metrics = metrics
        self._clock = clock
        self._limiters: dict[str, FallbackLimiter] = {}

    def limited(self, execution: BatchExecution) -> Sequence[int]:
        """Indices of the requests that fall back only because the whole model does: the fallback limiter may leave them
        to the compressed model.
        """
        pair, batch = execution.pair, execution.batch
        if pair.fallback_seconds is None or Role.BASELINE not in execution.routed:
            return ()
        self._limiters.setdefault(pair.name, FallbackLimiter(pair.fallback_seconds))
        with_model = self._router.fall_back_with_model(pair.name, batch)
        return [index for index, falls_back in enumerate(with_model) if falls_back]

    def share(self, model: str) -> float:
        """The share of a model's fallback that its baseline can bear; 1 while that is not known."""
        limiter = self._limiters.get(model)
        return 1.0 if limiter is None else limiter.share

    def is_short(self, pair: ModelPair) -> bool:
        """Whether the baseline of a pair has less capacity than the fallback needs."""
        return self._limiters[pair.name].share < 1.0

    def admitted(self, execution: BatchExecution, limited: Sequence[int]) -> Sequence[int]:
        """Indices of the least certain of these requests, as many as the baseline has capacity for; the answers of the
        others are marked.
        """
        limiter, admitted = self._limiters[execution.pair.name], []
        for index in limited:
            rows = execution.slices[index]
            if rows.run.role is Role.BASELINE:
                continue
            if limiter.admits(rows.uncertainty + TIE_BREAK_WEIGHT * draw(execution.ids[index], "capacity")):
                admitted.append(index)
            else:
                execution.annotate(index, over_capacity=True)
        return admitted

    def observe(self, pair: ModelPair, seconds: float) -> None:
        """Observe the latency of an answer of the fallback; publish when the limiter starts or stops."""
        limiter = self._limiters[pair.name]
        window = limiter.observe(seconds, time.perf_counter())
        if window is None:
            return
        self._metrics.set_fallback_share(pair.name, window.after)
        if window.is_transition:
            kind = "fallback-rationed" if window.after < 1.0 else "fallback-whole"
            reason = f"{window.late} of {window.answers} answers took longer than {limiter.seconds:g} s"
            detail = {"share": window.after, "late": window.late, "answers": window.answers}
            self._outbox.add_event(
                Event(uuid.uuid4().hex, self._clock(), pair.name, kind, MODEL_SCOPE, "gateway", reason, detail)
            )
