"""What the tests of the service share: requests, waiting, and pairs built as the gateway builds them."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
from prometheus_client import CollectorRegistry

from tests.support.servers import TOKEN, write_config
from tests.support.serving.model_pairs import CALM, SUBGROUPS, sure_and_unsure
from tests.support.wired_samples import apart
from tightrope.monitors.records import Event, Routes, Sample
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import EVENTS, SAMPLES, topic
from tightrope.service.adapters.wire.record_codec import decode_event, decode_samples
from tightrope.service.app import load_model, load_pairs
from tightrope.service.config.loader import Settings, load
from tightrope.service.errors import TightropeError
from tightrope.service.inference.autotune import Pace
from tightrope.service.inference.engine import Gateway
from tightrope.service.inference.model_pair import Pair, build
from tightrope.service.outbox import Outbox
from tightrope.service.protocol.rest import InferResponse, decode_request
from tightrope.service.routing.router import Router
from tightrope.service.sampling.recorder import Answered
from tightrope.service.transport.responder import Responder

T = TypeVar("T")
AUTH = {"Authorization": f"Bearer {TOKEN}"}
OK = 200
LENGTH = "Inference-Header-Content-Length"


def body(rows: Sequence[Sequence[float]], **fields: object) -> dict[str, Any]:
    """A JSON request whose input has these rows."""
    data = [float(value) for row in rows for value in row]
    return {
        "inputs": [{"name": "input", "shape": [len(rows), len(rows[0])], "datatype": "FP32", "data": data}]
    } | fields


def eventually(look: Callable[[], T], seconds: float = 30.0) -> T:
    """Look again and again until what is seen is true; the last look decides."""
    deadline = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert seen, f"not within {seconds} s"
    return seen


def settings_of(folder: Path, models: Mapping[str, object], **sections: object) -> Settings:
    """The settings of a configuration file that is written to a folder."""
    return load(write_config(folder, {"models": models, **sections}), {})


def pair_of(folder: Path, **model: object) -> Pair:
    """One pair named ``m``, loaded and checked."""
    return build("m", settings_of(folder, {"m": model}), load_model)


class Bench:
    """A gateway in this process: real models, real bus, its own metrics. ``time`` is its clock."""

    def __init__(self, folder: Path, models: Mapping[str, object]) -> None:
        self.pairs = load_pairs(settings_of(folder, models))
        self.metrics = Metrics(CollectorRegistry())
        self.bus = MemoryBus()
        self.outbox = Outbox(self.bus, self.metrics.dropped)
        self.router = Router({name: pair.subgroups.scopes for name, pair in self.pairs.items()})
        self.time = 1000.0
        self.gateway = Gateway(
            self.pairs,
            self.router,
            self.outbox,
            self.metrics,
            Answered(self.outbox, self.metrics, {}),
            lambda: self.time,
        )

    def responder(self, pace: Pace | None = None) -> Responder:
        """What transports ask; every run is short if no pace is given."""
        return Responder(self.gateway, dict.fromkeys(self.pairs, pace or Pace()))

    def infer(self, model: str, request: Mapping[str, Any]) -> InferResponse:
        """Answer a JSON request."""
        pair = self.gateway.pair(model)
        return self.gateway.infer(pair, decode_request(json.dumps(request).encode(), None, pair.inputs, pair.outputs))

    def safe(self, model: str, *scopes: str) -> None:
        """Put scopes of a model into safe mode, and all others out of it."""
        epoch = self.router.routes(model).epoch + 1
        self.router.apply(Routes(model, epoch, scopes, {}))

    def published(self) -> tuple[list[Sample], list[Event]]:
        """What the outbox had to say; it is stopped then."""
        samples, events = self.bus.subscribe(topic(SAMPLES)), self.bus.subscribe(topic(EVENTS))
        self.outbox.start()
        assert self.outbox.stop(10.0)
        told = [sample for record in samples.poll(1000, 0.0) for sample in apart(decode_samples(record.value))]
        return told, [decode_event(record.value) for record in events.poll(1000, 0.0)]

    def count(self, name: str, **labels: str) -> int:
        """A counter's value."""
        return self.metrics.total(name, **labels)


def kept(
    folder: Path, ids: Sequence[str], sampling: Mapping[str, object], region: str = "", model: str = "m"
) -> set[str]:
    """The ids that a new gateway keeps of all these requests."""
    pair = {**sure_and_unsure(folder), **CALM, "subgroups": SUBGROUPS, "sampling": sampling}
    served = Bench(folder, {model: pair})
    for request_id in ids:
        served.infer(model, body([[50.0, 1.0]], id=request_id, parameters={"region": region}))
    samples, _ = served.published()
    assert served.count("samples", model=model) == len(samples)
    return {sample.request_id for sample in samples}


def kinds(of: type[TightropeError]) -> Iterable[type[TightropeError]]:
    """An error and everything derived from it."""
    yield of
    for kind in of.__subclasses__():
        yield from kinds(kind)


def good_request(client: httpx.Client) -> bool:
    """Whether a good request is answered as it should be."""
    answer = client.post("/v2/models/plain/infer", json=body([[0.0, 5.0]]))
    return answer.status_code == OK and answer.json()["parameters"]["served_by"] == "compressed"


class Neighbour:
    """Somebody else's requests, one after another in a thread, while a test does what it does to the server."""

    def __init__(self, address: str, ask: Callable[[httpx.Client], bool] = good_request) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self.slowest = 0.0
        self._address = address
        self._ask = ask
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(60.0)

    def is_served(self) -> None:
        """Everything so far was answered well, and the next request is too."""
        seen = self.answered
        eventually(lambda: self.failures or self.answered > seen + 1)
        assert self.failures == []

    def _run(self) -> None:
        with httpx.Client(base_url=self._address, timeout=30.0) as client:
            while not self._stopping.wait(0.01):
                began = time.monotonic()
                try:
                    good = self._ask(client)
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                    return
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.failures += [] if good else ["a bad answer"]
                self.answered += 1
