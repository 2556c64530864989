"""The pages of a member as the doctor reads them."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tightrope.wiring.doctor.member_pages import parse_metrics, read_member, readiness_reasons

METRICS = """# HELP tightrope_blind 1 while blind.
tightrope_blind{model="m"} 1.0
tightrope_judge_failures_total 3.0
process_open_fds 9
"""


class Member(BaseHTTPRequestHandler):
    """A gateway that is not ready."""

    def do_GET(self) -> None:
        """Answer both pages."""
        ready = self.path == "/v2/health/ready"
        body = json.dumps({"ready": False, "models": {"m": "blind"}}).encode() if ready else METRICS.encode()
        self.send_response(503 if ready else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """The address of the member."""
    server = HTTPServer(("127.0.0.1", 0), Member)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_member_is_read(url: str) -> None:
    """Its readiness with the reasons, and its metrics."""
    member = read_member(url)
    assert (member.status, member.reasons) == (503, ("m: blind",))
    assert member.metrics == {"tightrope_blind": {'{model="m"}': 1.0}, "tightrope_judge_failures_total": {"": 3.0}}


def test_member_that_does_not_answer_has_a_reason() -> None:
    """No port listens there."""
    member = read_member("http://127.0.0.1:1")
    assert member.status == 0
    assert "refused" in member.reasons[0]


def test_pages_of_other_programs_are_no_error() -> None:
    """A body that is no JSON, and values that are no numbers."""
    assert readiness_reasons(b"<html>") == ()
    assert readiness_reasons(b'{"ready": false, "reason": "topics"}') == ("topics",)
    assert parse_metrics("tightrope_blind nonsense\n# a page\n") == {}
