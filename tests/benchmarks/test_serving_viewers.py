"""Viewers ask for the overview as the page does, and count the looks without an answer."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.serving.viewers import OVERVIEW_PATH, Viewers, watching


class Gateway(ThreadingHTTPServer):
    """Answers with a tag, or with a status that is an error; ``enough`` is set after some looks."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.wanted = 200, 6
        self.asked: list[tuple[str, str | None]] = []
        self.enough = threading.Event()

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Gateway
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a look."""
        tag = self.headers.get("If-None-Match")
        self.server.asked.append((self.path, tag))
        self.send_response(304 if tag == '"7"' and self.server.status == 200 else self.server.status)
        self.send_header("ETag", '"7"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        if len(self.server.asked) >= self.server.wanted:
            self.server.enough.set()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
        """Write nothing."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A running gateway."""
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def looked(gateway: Gateway) -> Viewers:
    """Two viewers, until the gateway has enough of them."""
    viewers = Viewers([gateway.address], 2, seconds=0.001)
    viewers.start()
    assert gateway.enough.wait(30)
    viewers.stop()
    return viewers


def test_viewer_asks_again_with_the_tag_of_its_answer(gateway: Gateway) -> None:
    """An answer that did not change is a look, too."""
    viewers = looked(gateway)
    assert {path for path, _ in gateway.asked} == {OVERVIEW_PATH}
    assert [tag for _, tag in gateway.asked].count(None) == 2
    assert viewers.looks == {gateway.address: len(gateway.asked)}
    assert viewers.failed == {gateway.address: 0}


def test_look_without_an_answer_is_counted(gateway: Gateway) -> None:
    """As at a revision that has no overview, or at a port at which nothing listens."""
    gateway.status = 404
    viewers = looked(gateway)
    assert viewers.failed == viewers.looks
    gone = Viewers(["http://127.0.0.1:1"], 1, seconds=0.001)
    gone.start()
    while not gone.failed["http://127.0.0.1:1"]:
        pass
    gone.stop()
    assert gone.failed == gone.looks


def test_no_viewer_looks_by_default(gateway: Gateway) -> None:
    """Nothing is asked."""
    with watching([gateway.address], 0) as viewers:
        assert viewers.looks == {gateway.address: 0}
    assert gateway.asked == []
