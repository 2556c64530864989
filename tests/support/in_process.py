"""Gateway, worker and judge in this process, asked without HTTP: for tests of the whole."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from tests.support.harmful_pair import Rows
from tightrope.service.config.loader import load
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.shadow.loop import Loop
from tightrope.wiring.embedded import Embedded, wire_up


def question(rows: Rows) -> InferRequest:
    """These rows, all outputs asked."""
    return InferRequest(id=None, parameters={}, inputs={"input": rows}, outputs=(), binary_default=False)


class Running:
    """Everything in this process, asked without HTTP."""

    def __init__(self, parts: Embedded) -> None:
        self.parts = parts
        self.rows = 0
        self.earlier = self._judged()

    def ask(self, rows: Rows) -> list[InferResponse]:
        """One request a row; the answers, once all of it has been judged."""
        gateway = self.parts.service.gateway
        pair = gateway.pair("m")
        answers = [gateway.infer(pair, question(row[None])) for row in rows]
        self.rows += len(rows)
        deadline = time.monotonic() + 20
        while self._judged() < self.earlier + self.rows:
            assert time.monotonic() < deadline, f"{self._judged()} of {self.rows} rows are judged"
            time.sleep(0.005)
        return answers

    def _judged(self) -> int:
        progress: Any = self.parts.bench.progress("m")
        return int(progress["seen"] + progress["pending"])

    def states(self) -> dict[str, str]:
        """What this replica goes by, once it has heard of the latest decision."""
        router, epoch = self.parts.service.gateway.router, self.parts.bench.states["m"].epoch
        deadline = time.monotonic() + 20
        while router.routes("m").epoch < epoch:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return dict(router.routes("m").states)

    def events(self) -> list[tuple[str, str]]:
        """Scope and kind of everything in the audit trail."""
        return [(event.scope, event.kind) for _, event in self.parts.store.events(limit=1000)]


@contextmanager
def running(path: Path) -> Iterator[Running]:
    """Wired from a configuration file, started, and stopped at the end."""
    parts = wire_up(load(path, {}))
    parts.start()
    try:
        yield Running(parts)
    finally:
        parts.stop()


def slowed(loop: Loop, *, start: float = 0.0, step: float = 0.0) -> Loop:
    """The same loop on a machine on which starting, or every step, takes so many seconds more."""
    make = loop._make

    class Slow:
        def __init__(self, stopping: Event) -> None:
            time.sleep(start)
            self._stepper = make(stopping)

        def step(self, timeout: float) -> int:
            """Late."""
            time.sleep(step)
            return self._stepper.step(timeout)

        def close(self) -> None:
            """At once."""
            self._stepper.close()

    return Loop("slow", Slow)


def served_by(answers: list[InferResponse], rows: Rows) -> dict[float, set[object]]:
    """Who answered, by group."""
    return {
        group: {answer.parameters["served_by"] for answer, row in zip(answers, rows, strict=True) if row[2] == group}
        for group in (0.0, 1.0)
    }
