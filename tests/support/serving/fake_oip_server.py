"""A server with programmable answers: plain HTTP/1.1 on 127.0.0.1, one thread a connection."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import orjson

from tightrope.service.adapters.open_inference.model import EndpointAddress
from tightrope.service.adapters.ports import Model, RunFailedError
from tightrope.service.protocol.tensors import datatype_of, dtype_of

INPUT = {"name": "input", "datatype": "FP32", "shape": [-1, 2]}
OUTPUT = {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}
METADATA = {"name": "m", "versions": ["1"], "platform": "none", "inputs": [INPUT], "outputs": [OUTPUT]}

Answer = tuple[int, object]
"""Status, and the body: a value for JSON, or bytes."""


class FakeServer:
    """The received requests, and ``pages``: by method and path an answer, or a function of the body."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.pages: dict[str, Answer | Callable[[bytes], Answer]] = {
            "GET /v2": (200, {"name": "far", "extensions": []}),
            "GET /v2/models/m": (200, METADATA),
            "GET /v2/models/m/ready": (200, b""),
            "POST /v2/models/m/infer": class_zero,
        }

    def count(self, page: str) -> int:
        """The number of requests for a page."""
        return self.requests.count(page)

    def add_version(self, number: str) -> None:
        """Serve the model's pages under a version too."""
        for page, answer in list(self.pages.items()):
            if "/models/m" in page:
                self.pages[page.replace("/models/m", f"/models/m/versions/{number}")] = answer

    def where(self, **changes: Any) -> EndpointAddress:  # noqa: ANN401 - fields of a record
        """The address of this server's model."""
        return EndpointAddress(**{"url": self.address, "model": "m", "timeout": 5.0, **changes})


def serve_model(server: FakeServer, model: Model) -> None:
    """Answer as this model, in JSON."""
    sides = {
        side: [{"name": spec.name, "datatype": spec.datatype, "shape": [*spec.shape]} for spec in getattr(model, side)]
        for side in ("inputs", "outputs")
    }

    def infer(body: bytes) -> Answer:
        document = orjson.loads(body)
        tensors = {
            each["name"]: np.array(each["data"], dtype_of(each["datatype"])).reshape(each["shape"])
            for each in document["inputs"]
        }
        try:
            found = model.run(tensors, [each["name"] for each in document["outputs"]])
        except RunFailedError as error:
            return 400, {"error": str(error)}
        outputs = [
            {
                "name": name,
                "datatype": datatype_of(tensor.dtype),
                "shape": tensor.shape,
                "data": tensor.ravel().tolist(),
            }
            for name, tensor in found.items()
        ]
        return 200, {"outputs": outputs}

    server.pages["GET /v2/models/m"] = (200, {**METADATA, **sides})
    server.pages["POST /v2/models/m/infer"] = infer


def class_zero(body: bytes) -> Answer:
    """Class 0 for every row."""
    rows = orjson.loads(body)["inputs"][0]["shape"][0]
    return 200, {"outputs": [{**OUTPUT, "shape": [rows, 2], "data": [1.0, 0.0] * rows}]}


@contextmanager
def fake_server(port: int = 0) -> Iterator[FakeServer]:
    """A running server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms

        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def _answer(self) -> None:
            page = f"{self.command} {self.path}"
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            server_state.requests.append(page)
            server_state.bodies.append(body)
            server_state.headers.append({name.lower(): value for name, value in self.headers.items()})
            answer = server_state.pages.get(page, (404, {"error": "no such page"}))
            status, content = answer(body) if callable(answer) else answer
            raw = content if isinstance(content, bytes) else orjson.dumps(content)
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = _answer  # noqa: N815 - the library's names

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """Ignore callers that gave up, which some tests need."""

    with Quiet(("127.0.0.1", port), Handler) as server:
        server_state = FakeServer(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server_state
        finally:
            server.shutdown()
            thread.join(10.0)
