"""Tests of the requests that wrk sends."""

import shutil
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from benchmarks.serving import models
from benchmarks.serving.load import wrk
from benchmarks.serving.requests import as_json, numbered_json

S = models.MODEL_KINDS["S"]


def test_wrk_numbers_the_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a `NUMBER` header no two heads are alike, and the bodies are unchanged."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk is missing: apt-get install wrk")
    monkeypatch.setattr(models, "CACHE", tmp_path)
    received: list[tuple[str, bytes]] = []

    class RecordingHandler(BaseHTTPRequestHandler):
        """Records the requests."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Answer with an empty body."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.headers["X-Request-Id"], body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), RecordingHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        load = wrk(numbered_json(S, 1), tmp_path)(f"http://127.0.0.1:{server.server_port}", 2, 1.0)
        server.shutdown()
    assert load.errors == 0
    assert len({number for number, _ in received}) == len(received) >= load.requests > 10
    assert all(number.isdigit() for number, _ in received)
    assert {body for _, body in received} == {request.body for request in as_json(S, 1)}
