"""The load by wrk: what it sends."""

import shutil
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from benchmarks.serving import models
from benchmarks.serving.load import wrk
from benchmarks.serving.requests import as_json, numbered

S = models.KINDS["S"]


def test_wrk_numbers_requests_where_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No two heads are alike, and the bodies are what they were."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk is missing: apt-get install wrk")
    monkeypatch.setattr(models, "CACHE", tmp_path)
    asked: list[tuple[str, bytes]] = []

    class Notes(BaseHTTPRequestHandler):
        """Remembers what it was sent."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Answer with nothing."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.headers["X-Request-Id"], body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Notes) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        found = wrk(numbered(S, 1), tmp_path)(f"http://127.0.0.1:{server.server_port}", 2, 1.0)
        server.shutdown()
    assert found.errors == 0
    assert len({number for number, _ in asked}) == len(asked) >= found.requests > 10
    assert all(number.isdigit() for number, _ in asked)
    assert {body for _, body in asked} == {request.body for request in as_json(S, 1)}
