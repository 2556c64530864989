"""A server that answers as a test wants: plain HTTP/1.1 on 127.0.0.1, one thread a connection."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from tightrope.service.adapters.open_inference.model import Where

TENSOR = {"name": "input", "datatype": "FP32", "shape": [-1, 2]}
GIVEN = {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}
METADATA = {"name": "m", "versions": ["1"], "platform": "none", "inputs": [TENSOR], "outputs": [GIVEN]}

Answer = tuple[int, object]
"""Status, and what becomes JSON, or bytes as they are."""


class Far:
    """What the server was asked, and what it answers: ``pages`` by method and path, a function or an answer."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.pages: dict[str, Answer | Callable[[bytes], Answer]] = {
            "GET /v2": (200, {"name": "far", "extensions": []}),
            "GET /v2/models/m": (200, METADATA),
            "GET /v2/models/m/ready": (200, b""),
            "POST /v2/models/m/infer": certain,
        }

    def count(self, page: str) -> int:
        """How often a page was asked for."""
        return self.asked.count(page)

    def version(self, number: str) -> None:
        """The model's pages stand under a version, too."""
        for page, answer in list(self.pages.items()):
            if "/models/m" in page:
                self.pages[page.replace("/models/m", f"/models/m/versions/{number}")] = answer

    def where(self, **changes: Any) -> Where:  # noqa: ANN401 - fields of a record
        """The model of this server, to be asked for."""
        return Where(**{"url": self.address, "model": "m", "timeout": 5.0, **changes})


def certain(body: bytes) -> Answer:
    """Class 0 for every row."""
    rows = orjson.loads(body)["inputs"][0]["shape"][0]
    return 200, {"outputs": [{**GIVEN, "shape": [rows, 2], "data": [1.0, 0.0] * rows}]}


@contextmanager
def far(port: int = 0) -> Iterator[Far]:
    """The server, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _answer(self) -> None:
            page = f"{self.command} {self.path}"
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            said.asked.append(page)
            said.bodies.append(body)
            said.headers.append({name.lower(): value for name, value in self.headers.items()})
            answer = said.pages.get(page, (404, {"error": "no such page"}))
            status, told = answer(body) if callable(answer) else answer
            raw = told if isinstance(told, bytes) else orjson.dumps(told)
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = _answer  # noqa: N815 - the library's names

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """A caller that gave up is what some tests are about."""

    with Quiet(("127.0.0.1", port), Handler) as server:
        said = Far(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield said
        finally:
            server.shutdown()
            thread.join(10.0)
