"""Steady requests over HTTP to the gateways of a cluster, and a ledger of every one by its id."""

import itertools
import json
import select
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

import numpy as np

from tests.support.harmful_pair import GROUP, HARM, LEFT, RIGHT, request

REQUEST_TIMEOUT_SECONDS = 10.0


@dataclass(slots=True)
class SentRequest:
    """One request of one row: ``status`` is 0 and ``problem`` says why where no response came; times are monotonic."""

    id: str
    model: str
    gateway: str
    harmful: bool
    sent: float
    answered: float = 0.0
    status: int = 0
    served_by: str = ""
    problem: str = ""


class Traffic:
    """A caller for each model, at a constant rate, who takes the gateways in ``rotation`` in turn.

    A gateway that accepts no connection is left out of a request, as a load balancer does. The compressed model fails
    every row of a model in ``harm``, which has the time at which that began.
    """

    def __init__(self, models: Sequence[str], per_second: float) -> None:
        self.rotation: tuple[str, ...] = ()
        self.harm: dict[str, float] = {}
        self.requests: list[SentRequest] = []
        self._pause = 1 / per_second
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(model,), daemon=True) for model in models]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send requests until the block ends."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> None:
        """Send no more requests, and wait for the last responses."""
        self._over.set()
        for thread in self._threads:
            thread.join(2 * REQUEST_TIMEOUT_SECONDS)

    def begin_harm(self, model: str) -> None:
        """From now on the compressed model fails every row of a model."""
        self.harm[model] = time.monotonic()

    def answers(self, model: str, since: float) -> list[SentRequest]:
        """The answered requests of a model that were sent since a time."""
        return [r for r in list(self.requests) if r.model == model and r.sent >= since and r.status]

    def _call(self, model: str) -> None:
        connections: dict[str, HTTPConnection] = {}
        chance, due = np.random.default_rng(), time.monotonic()
        for number in itertools.count():
            if self._over.wait(max(0.0, due - time.monotonic())):
                break
            due = max(due + self._pause, time.monotonic() - self._pause)
            row = np.zeros(4)
            row[LEFT], row[RIGHT] = -chance.random() - 0.1, chance.random() + 0.1
            row[GROUP], row[HARM] = number % 6 == 0, model in self.harm
            rotation = self.rotation
            for turn in range(len(rotation)):
                gateway = rotation[(number + turn) % len(rotation)]
                if self._send(connections, gateway, model, row):
                    break
        for connection in connections.values():
            connection.close()

    def _send(self, connections: dict[str, HTTPConnection], gateway: str, model: str, row: np.ndarray) -> bool:
        """Send one request; False where the gateway accepts no connection, so that nothing was sent."""
        connection = _connected(connections, gateway)
        if connection is None:
            return False
        sent = SentRequest(uuid.uuid4().hex, model, gateway, bool(row[HARM]), time.monotonic())
        body = json.dumps(request(row, sent.id))
        try:
            connection.request("POST", f"/v2/models/{model}/infer", body, {"Content-Type": "application/json"})
            with closing(connection.getresponse()) as response:
                content = response.read()
                sent.status = response.status
            if sent.status == 200:
                sent.served_by = str(json.loads(content)["parameters"]["served_by"])
            else:
                sent.problem = content.decode()[:200]
        except (OSError, HTTPException) as error:
            sent.problem = repr(error)
            connections.pop(gateway).close()
        sent.answered = time.monotonic()
        self.requests.append(sent)
        return True


def _connected(connections: dict[str, HTTPConnection], gateway: str) -> HTTPConnection | None:
    """An open connection to a gateway; one that the gateway closed at rest is opened again."""
    known = connections.get(gateway)
    if known is not None and known.sock is not None and not select.select([known.sock], [], [], 0)[0]:
        return known
    if known is not None:
        connections.pop(gateway).close()
    with suppress(OSError):
        connection = HTTPConnection(gateway, timeout=REQUEST_TIMEOUT_SECONDS)
        connection.connect()
        connections[gateway] = connection
        return connection
    return None
