"""A receiver that keeps the notifications of Alertmanager."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Pager(ThreadingHTTPServer):
    """Keeps each notification with its time of arrival; while ``away`` is set it refuses them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard: list[tuple[float, dict[str, Any]]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.away = False

    @property
    def address(self) -> str:
        """The address of the receiver."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def alerts(self, status: str, **labels: str) -> list[dict[str, Any]]:
        """The alerts of all notifications with this status and these labels."""
        every = [alert for _, notification in list(self.heard) for alert in notification["alerts"]]
        return [a for a in every if a["status"] == status and labels.items() <= a["labels"].items()]


class _Handler(BaseHTTPRequestHandler):
    server: Pager

    def do_POST(self) -> None:
        """Keep a notification."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.server.away:
            self.server.heard.append((time.time(), body))
            self.server.paths.append(self.path)
            self.server.headers.append(dict(self.headers))
        self.send_response(503 if self.server.away else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def listening() -> Iterator[Pager]:
    """Run a pager on a free port until the block ends."""
    with Pager() as pager:
        thread = threading.Thread(target=pager.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield pager
        finally:
            pager.shutdown()
            thread.join()
