"""The path of one small HTTP request is short, and goes one way: protocol, engine, batcher, model, response, recorder.

An *entry* of a file is a call event (`sys.setprofile`) of a function in it whose calling frame is in another file: one
of ours, a library's, or the event loop's. Returning to a caller is no entry, nor is a call within a file.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.house.sources import PACKAGES, ROOT
from tests.support.serving.asgi_harness import GOOD, InnerApp, admission
from tests.support.serving.model_pairs import CALM, REFUSAL, SUBGROUPS, sure_and_unsure
from tests.support.serving.protocol_connection import Connection, Transport, post
from tests.support.serving.service_harness import GatewayHarness
from tightrope.service.transport.http.asgi import InferLayer

MAX_FILES, MAX_ENTRIES = 11, 3

WATCHED_RUN = "service/adapters/runs/watched_runs.py"
"""The one exception: it gives a run its deadline, for less than half a microsecond."""

PATH = [
    "service/transport/http/uvicorn_protocol.py",  # the request's bytes
    "service/inference/engine.py",  # the pair of the model that the head names
    "service/transport/http/codec.py",
    "service/protocol/fast_json.py",
    "service/inference/batcher.py",  # the queue
    "service/inference/batcher.py",  # the loop's turn
    "service/inference/engine.py",
    "service/inference/batch.py",
    "service/routing/router.py",
    "service/inference/costs/measured_run.py",  # reads the clock of the thread, twice
    "service/adapters/onnxruntime.py",
    WATCHED_RUN,
    "service/inference/batch.py",  # the outputs are read
    "monitors/answer_summary.py",
    "service/inference/batch.py",  # the response is built
    "service/transport/http/uvicorn_protocol.py",  # it is delivered
    "service/inference/engine.py",  # is it large?
    "service/transport/http/codec.py",
    "service/protocol/rest.py",
]
"""The entries of a request whose head is cached, until the response is written."""

PROTOCOL = {"uvicorn_protocol", "bounded_protocol", "connection"}
"""The modules of the protocol's class and its bases, which the parser calls."""


class _PathTracer:
    """Records the entries of our files until ``transport`` is written to, and those that follow."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._length = len(transport.written)
        self.before: list[str] = []
        self.after: list[str] = []

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:  # noqa: ANN401 - sys.setprofile's
        """Record an event."""
        caller = frame.f_back
        if event != "call" or (caller and caller.f_code.co_filename == frame.f_code.co_filename):
            return
        path = Path(frame.f_code.co_filename).resolve()
        if path.is_relative_to(ROOT) and (name := path.relative_to(ROOT)).parts[0] in PACKAGES:
            is_written = len(self._transport.written) > self._length
            (self.after if is_written else self.before).append(str(name))


@contextmanager
def tracing(transport: Transport) -> Iterator[_PathTracer]:
    """Trace what this thread calls until the block ends."""
    tracer, profiler = _PathTracer(transport), sys.getprofile()
    sys.setprofile(tracer)
    try:
        yield tracer
    finally:
        sys.setprofile(profiler)


@pytest.fixture
def layer(tmp_path: Path) -> InferLayer:
    """A pair with subgroups and a refusal rule, and an inference layer in front of it."""
    refusal = {**REFUSAL, "action": "flag"}
    pair = {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS, "refusal": refusal}
    inner = InnerApp()
    return InferLayer(lambda: inner, GatewayHarness(tmp_path, {"m": pair}).responder(), admission())


def trace(layer: InferLayer, request: bytes) -> _PathTracer:
    """Trace a request on a connection that has answered others."""

    async def run() -> _PathTracer:
        connection = Connection(layer)
        for count in (1, 2):
            connection.protocol.data_received(post())
            await connection.answers(count)
        with tracing(connection.transport) as tracer:
            connection.protocol.data_received(request)
            for _ in range(10):
                await asyncio.sleep(0)
        assert (await connection.answers(3)).statuses == [200] * 3
        return tracer

    return asyncio.run(run())


def test_request_enters_few_files_few_times(layer: InferLayer) -> None:
    """Until its response is written, without the entry that a deadline needs."""
    entries = Counter(trace(layer, post()).before)
    assert entries.pop(WATCHED_RUN) == 1
    assert len(entries) <= MAX_FILES, entries
    assert max(entries.values()) <= MAX_ENTRIES, entries


def test_request_goes_one_way(layer: InferLayer) -> None:
    """From the protocol through the batcher to the model and back; the recorder comes after the response."""
    tracer = trace(layer, post())
    assert tracer.before == PATH
    assert "service/sampling/recorder.py" in tracer.after


def test_request_with_another_head_adds_only_its_parsing(layer: InferLayer) -> None:
    """The parser calls the protocol; the head cache parses and stores the head, if the engine serves its model, and
    keeps the header that names the caller.
    """
    entries = Counter(trace(layer, post(GOOD, X_Other="x")).before)
    added = {name: count for name, count in (entries - Counter(PATH)).items() if Path(name).stem not in PROTOCOL}
    assert added == {
        "service/transport/http/head_cache.py": 2,
        "service/transport/call_context.py": 1,
        "service/inference/engine.py": 2,
    }
