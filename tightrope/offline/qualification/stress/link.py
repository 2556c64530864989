"""The scenario of the link: a role on another server, reached through a slow, a narrow and a cut link.

Requests are answered as the gateway answers them: by the role that they are routed to, and where that fails or is too
slow, by the other one. Callers ask at the same time, so that a second of delay does not make a measurement of minutes.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from urllib.parse import urlsplit

import msgspec
import numpy as np

from tightrope.monitors.records import Role, Tensors
from tightrope.offline.pair_evaluation import PairEvaluation
from tightrope.offline.qualification.costs import single_rows
from tightrope.offline.qualification.stages import TimedProgress
from tightrope.offline.qualification.stress.relay import LinkShape, relayed
from tightrope.service.adapters.open_inference import circuit_breaker
from tightrope.service.adapters.open_inference.model import EndpointAddress, endpoint_of, independent_copy
from tightrope.service.adapters.ports import Model, RunFailedError

LINKS = (
    LinkShape("+50 ms", delay=0.05),
    LinkShape("+200 ms", delay=0.2),
    LinkShape("+1,000 ms", delay=1.0),
    LinkShape("64 KiB/s", bytes_per_second=64 * 1024),
    LinkShape("cut", is_cut=True),
)
LINK_CALLERS = 8
LINK_REQUESTS = 100
LINK_SECONDS = 10.0
"""The seconds of one link; a request that has no answer then is not waited for."""

ONE_HOST = "does not apply: both models are files on this host"
PORTS = {"http": 80, "https": 443}


class LinkCase(msgspec.Struct, frozen=True, omit_defaults=True):
    """The ``requests`` through one link: how many each role ``answered``, and the 99 % quantile of their times; how
    many ``failed`` by both roles, and after which time at most; and how many were ``waiting`` when the ``seconds`` were
    over, and since when at most. ``error`` is the first one. All times are in seconds.
    """

    requests: int = 0
    answered: dict[str, int] = {}
    p99: float = 0.0
    failed: int = 0
    failed_after: float = 0.0
    waiting: int = 0
    waiting_since: float = 0.0
    seconds: float = 0.0
    error: str = ""


class LinkFigures(msgspec.Struct, frozen=True, omit_defaults=True):
    """The cases by the role on another server, then by the link's name. ``reason`` says why nothing was measured."""

    links: dict[str, dict[str, LinkCase]] = {}
    reason: str = ""


def measure_link(
    evaluation: PairEvaluation,
    progress: TimedProgress,
    shapes: Sequence[LinkShape] = LINKS,
    seconds: float = LINK_SECONDS,
) -> LinkFigures:
    """Measure each link to each role on another server, for ``seconds`` at most.

    Raises:
        TimeIsUpError: when no time is left.
    """
    models = evaluation.pair.models
    remote = {role: endpoint.where for role in Role if (endpoint := endpoint_of(models[role])) is not None}
    if not remote:
        return LinkFigures(reason=ONE_HOST)
    rows, outputs = single_rows(evaluation)[:LINK_REQUESTS], evaluation.pair.deciding
    progress.begin("asking through slow links", len(remote) * len(shapes))
    links: dict[str, dict[str, LinkCase]] = {str(role): {} for role in remote}
    with _without_warnings():
        for (role, where), shape in product(remote.items(), shapes):
            most = min(seconds, progress.seconds_left)
            links[str(role)][shape.name] = _measure_one(models, role, where, shape, most, rows, outputs)
            progress.advance()
    return LinkFigures(links)


@dataclass(slots=True)
class _Callers:
    """Callers that ask one role for rows, and the other one where it fails."""

    models: dict[Role, Model]
    role: Role
    outputs: Sequence[str]
    rows: Iterator[Tensors]
    over: threading.Event = field(default_factory=threading.Event)
    times: dict[Role, list[float]] = field(default_factory=lambda: {role: [] for role in Role})
    failures: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)
    error: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self) -> None:
        """Ask for one row after the other, until none is left or the time is over."""
        while (row := self._next()) is not None:
            begin = time.monotonic()
            answered = self._answer(row)
            self._note(answered, time.monotonic() - begin)

    def _next(self) -> Tensors | None:
        with self._lock:
            return None if self.over.is_set() else next(self.rows, None)

    def _answer(self, row: Tensors) -> Role | None:
        """The role that answers; None where neither does."""
        for role in (self.role, self.role.other):
            try:
                self.models[role].run(row, self.outputs)
            except RunFailedError as error:
                self._keep_first(str(error))
                if self.over.is_set():
                    return None
            else:
                return role
        return None

    def _keep_first(self, error: str) -> None:
        with self._lock:
            if not self.error and not self.over.is_set():
                self.error = error

    def _note(self, answered: Role | None, seconds: float) -> None:
        with self._lock:
            if self.over.is_set():
                self.waiting.append(seconds)
            elif answered is None:
                self.failures.append(seconds)
            else:
                self.times[answered].append(seconds)

    def case(self, seconds: float) -> LinkCase:
        """The figures."""
        times = [each for found in self.times.values() for each in found]
        return LinkCase(
            requests=len(times) + len(self.failures) + len(self.waiting),
            answered={str(role): len(found) for role, found in self.times.items() if found},
            p99=float(np.quantile(times, 0.99)) if times else 0.0,
            failed=len(self.failures),
            failed_after=max(self.failures, default=0.0),
            waiting=len(self.waiting),
            waiting_since=max(self.waiting, default=0.0),
            seconds=seconds if self.waiting else 0.0,
            error=self.error,
        )


def _measure_one(
    models: dict[Role, Model],
    role: Role,
    where: EndpointAddress,
    shape: LinkShape,
    seconds: float,
    rows: Sequence[Tensors],
    outputs: Sequence[str],
) -> LinkCase:
    """Ask through one link; what has no answer when the seconds are over ends with the link, and a call of the other
    role, which is not behind it, by its time limit.
    """
    server = urlsplit(where.url)
    address = server.hostname or "", server.port or PORTS[server.scheme]
    with relayed(*address, shape) as relay, ThreadPoolExecutor(LINK_CALLERS) as pool:
        asked = {
            role: independent_copy(models[role], relay.address),
            role.other: independent_copy(models[role.other], most_seconds=seconds),
        }
        callers = _Callers(asked, role, outputs, iter(rows))
        running = [pool.submit(callers.ask) for _ in range(LINK_CALLERS)]
        try:
            wait(running, seconds)
        finally:
            callers.over.set()
            relay.close()
    for each in running:
        each.result()
    return callers.case(seconds)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """A breaker that opens is what is measured here, and no news about the server."""
    own = logging.getLogger(circuit_breaker.__name__)
    before = own.level
    own.setLevel(logging.ERROR)
    try:
        yield
    finally:
        own.setLevel(before)
