"""Shared helpers of the service tests: requests, polling, and model pairs built as the gateway builds them."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
from prometheus_client import CollectorRegistry

from tests.support.configs import TOKEN, write_config
from tests.support.serving.model_pairs import CALM, SUBGROUPS, sure_and_unsure
from tests.support.wired_samples import split_samples
from tightrope.monitors.intake.sampling import SECRET_BYTES, DrawKey
from tightrope.monitors.records import Event, Routes, Sample
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import EVENTS, SAMPLES, topic
from tightrope.service.adapters.wire.record_codec import decode_event, decode_samples
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import Settings, load
from tightrope.service.errors import TightropeError
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.inference.engine import InferenceEngine
from tightrope.service.inference.loading.pair_building import build
from tightrope.service.inference.loading.pair_loading import load_model
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.outbox import Outbox
from tightrope.service.protocol.rest import InferResponse, decode_request
from tightrope.service.routing.router import Router
from tightrope.service.sampling.recorder import AnswerRecorder
from tightrope.service.transport.responder import Responder

T = TypeVar("T")
DRAW_KEY = DrawKey(bytes(range(SECRET_BYTES)))
AUTH = {"Authorization": f"Bearer {TOKEN}"}
OK = 200
LENGTH = "Inference-Header-Content-Length"


def body(rows: Sequence[Sequence[float]], **fields: object) -> dict[str, Any]:
    """A JSON request with these input rows."""
    data = [float(value) for row in rows for value in row]
    return {
        "inputs": [{"name": "input", "shape": [len(rows), len(rows[0])], "datatype": "FP32", "data": data}]
    } | fields


def eventually(check: Callable[[], T], seconds: float = 30.0) -> T:
    """Call ``check`` until its result is truthy, and return that; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (result := check()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert result, f"not within {seconds} s"
    return result


def settings_of(folder: Path, models: Mapping[str, object], **sections: object) -> Settings:
    """Settings, loaded from a configuration file that is written to a folder."""
    return load(write_config(folder, {"models": models, **sections}), {})


def pair_of(folder: Path, **model: object) -> ModelPair:
    """A pair named ``m``, loaded and checked."""
    return build("m", settings_of(folder, {"m": model}), load_model)


class GatewayHarness:
    """A gateway without transports: real models, an in-memory bus and metrics of its own. ``time`` is its clock."""

    def __init__(self, folder: Path, models: Mapping[str, object]) -> None:
        self.pairs = load_pairs(settings_of(folder, models))
        self.metrics = Metrics(CollectorRegistry())
        self.bus = MemoryBus()
        self.outbox = Outbox(self.bus, self.metrics.record_dropped)
        self.router = Router(
            {name: pair.subgroups.scopes for name, pair in self.pairs.items()},
            always_baseline={name: pair.subgroups.always_baseline for name, pair in self.pairs.items()},
            askable=[name for name, pair in self.pairs.items() if pair.plan.askable],
        )
        self.time = 1000.0
        self.recorder = AnswerRecorder(self.outbox, self.metrics, {}, DRAW_KEY)
        self.engine = InferenceEngine(
            self.pairs,
            self.router,
            self.outbox,
            self.metrics,
            self.recorder,
            lambda: self.time,
        )

    def responder(self, profile: RunProfile | None = None) -> Responder:
        """The responder that transports call; by default every run counts as short."""
        return Responder(self.engine, dict.fromkeys(self.pairs, profile or RunProfile()))

    def infer(self, model: str, request: Mapping[str, Any]) -> InferResponse:
        """Answer a JSON request."""
        pair = self.engine.pair(model)
        decoded = decode_request(json.dumps(request).encode(), None, pair.declared_inputs, pair.outputs)
        return self.engine.infer(pair, pair.rows_first(decoded))

    def safe(self, model: str, *scopes: str, asked: tuple[int, ...] = ()) -> None:
        """Put these scopes of a model into safe mode, the model narrowed to the classes ``asked``, and all others into
        normal mode.
        """
        epoch = self.router.routes(model).epoch + 1
        self.router.apply(Routes(model, epoch, scopes, {}, asked=asked))

    def published(self) -> tuple[list[Sample], list[Event]]:
        """Stop the outbox; the samples and events that it has published."""
        samples, events = self.bus.subscribe(topic(SAMPLES)), self.bus.subscribe(topic(EVENTS))
        self.outbox.start()
        assert self.outbox.stop(10.0)
        batches = [decode_samples(record.value) for record in samples.poll(1000, 0.0)]
        published = [sample for batch in batches for sample in split_samples(batch)]
        return published, [decode_event(record.value) for record in events.poll(1000, 0.0)]

    def count(self, name: str, **labels: str) -> int:
        """The value of a counter."""
        return self.metrics.total(name, **labels)


def sampled_ids(
    folder: Path, ids: Sequence[str], sampling: Mapping[str, object], region: str = "", model: str = "m"
) -> set[str]:
    """The ids of these requests that a new gateway samples."""
    pair = {**sure_and_unsure(folder), **CALM, "subgroups": SUBGROUPS, "sampling": sampling}
    gateway = GatewayHarness(folder, {model: pair})
    for request_id in ids:
        gateway.infer(model, body([[50.0, 1.0]], id=request_id, parameters={"region": region}))
    samples, _ = gateway.published()
    assert gateway.count("samples", model=model) == len(samples)
    return {sample.request_id for sample in samples}


def error_types(base: type[TightropeError]) -> Iterable[type[TightropeError]]:
    """An error class and all its subclasses."""
    yield base
    for kind in base.__subclasses__():
        yield from error_types(kind)


def good_request(client: httpx.Client) -> bool:
    """Send a valid request; whether the compressed model answers it."""
    answer = client.post("/v2/models/plain/infer", json=body([[0.0, 5.0]]))
    return answer.status_code == OK and answer.json()["parameters"]["served_by"] == "compressed"


class BackgroundClient:
    """Another client that sends requests one after another in a thread while a test does harm to the server."""

    def __init__(self, address: str, request: Callable[[httpx.Client], bool] = good_request) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self.slowest = 0.0
        self._address = address
        self._request = request
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(60.0)

    def is_served(self) -> None:
        """Assert that all requests so far were answered correctly, and so is the next one."""
        before = self.answered
        eventually(lambda: self.failures or self.answered > before + 1)
        assert self.failures == []

    def _run(self) -> None:
        with httpx.Client(base_url=self._address, timeout=30.0) as client:
            while not self._stopping.wait(0.01):
                began = time.monotonic()
                try:
                    good = self._request(client)
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                    return
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.failures += [] if good else ["a bad answer"]
                self.answered += 1
