"""Gateway, worker and judge in this process, called without HTTP."""

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
from tightrope.shadow.migration import FRESH
from tightrope.wiring.embedded import Embedded, build_embedded


def infer_request(rows: Rows) -> InferRequest:
    """Return a request for all outputs of these rows."""
    return InferRequest(id=None, parameters={}, inputs={"input": rows}, outputs=(), binary_default=False)


class InProcess:
    """All parts in this process."""

    def __init__(self, parts: Embedded) -> None:
        self.parts = parts
        self.sent = 0
        self.judged_before = self._judged()

    def send(self, rows: Rows) -> list[InferResponse]:
        """Send one request for each row; return the answers once all rows are judged."""
        gateway = self.parts.service.engine
        pair = gateway.pair("m")
        answers = [gateway.infer(pair, infer_request(row[None])) for row in rows]
        self.sent += len(rows)
        deadline = time.monotonic() + 20
        while self._judged() < self.judged_before + self.sent:
            assert time.monotonic() < deadline, f"{self._judged()} of {self.sent} rows are judged"
            time.sleep(0.005)
        return answers

    def _judged(self) -> int:
        progress: Any = self.parts.view.progress("m")
        return int(progress["seen"] + progress["pending"])

    def states(self) -> dict[str, str]:
        """Return the state of each scope, once the gateway knows the latest decision."""
        router, epoch = self.parts.service.engine.router, self.parts.view.states["m"].epoch
        deadline = time.monotonic() + 20
        while router.routes("m").epoch < epoch:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return dict(router.routes("m").states)

    def events(self) -> list[tuple[str, str]]:
        """Return scope and kind of every event in the audit trail, without those of a fresh state."""
        events = (event for _, event in self.parts.store.events(limit=1000))
        return [(event.scope, event.kind) for event in events if event.kind != FRESH]


@contextmanager
def run_in_process(path: Path) -> Iterator[InProcess]:
    """Start the parts from a configuration file and stop them when the block ends."""
    parts = build_embedded(load(path, {}))
    parts.start()
    try:
        yield InProcess(parts)
    finally:
        parts.stop()


def slow_loop(loop: Loop, *, start: float = 0.0, step: float = 0.0) -> Loop:
    """Return a loop like this one that takes longer to start and for each step, in seconds."""
    make = loop._make

    class Slow:
        def __init__(self, stopping: Event) -> None:
            time.sleep(start)
            self._stepper = make(stopping)

        def step(self, timeout: float) -> int:
            """Step after the delay."""
            time.sleep(step)
            return self._stepper.step(timeout)

        def close(self) -> None:
            """Close at once."""
            self._stepper.close()

    return Loop("slow", Slow)


def served_by(answers: list[InferResponse], rows: Rows) -> dict[float, set[object]]:
    """Return the roles that served each group."""
    return {
        group: {answer.parameters["served_by"] for answer, row in zip(answers, rows, strict=True) if row[2] == group}
        for group in (0.0, 1.0)
    }
