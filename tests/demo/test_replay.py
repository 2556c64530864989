import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import urllib3

from tests.support.judgement.comparisons import SCOPES
from tightrope.demo.replay import DEMO_MODEL, REPLAY_CONNECTIONS, ReplayAnswer, ReplayError, TrafficRow, replay, traffic

ROWS = [TrafficRow(f"demo-{number:05d}", (float(number), 1.0), number % 2, (SCOPES[0],)) for number in range(60)]


class EchoHandler(BaseHTTPRequestHandler):
    """Answers with the class given by the parity of the first code; some answers are delayed."""

    protocol_version = "HTTP/1.1"
    server: "FakeGateway"

    def do_POST(self) -> None:
        """Answer one request."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, request, time.monotonic()))
        number = int(request["inputs"][0]["data"][0])
        if number == self.server.closing:
            self.server.closing, self.close_connection = None, True
            return
        if number % REPLAY_CONNECTIONS == 0:
            time.sleep(0.005)
        status, answer = self.server.answer(number)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class FakeGateway(ThreadingHTTPServer):
    """A gateway that records its requests. It refuses row ``failing``, and once closes the connection on row
    ``closing``.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), EchoHandler)
        self.seen: list[tuple[str, dict[str, Any], float]] = []
        self.failing: int | None = None
        self.closing: int | None = None

    @property
    def address(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, number: int) -> tuple[int, dict[str, Any]]:
        """Status and body for a row."""
        if number == self.failing:
            return 503, {"error": "out of order"}
        probabilities = [0.25, 0.75] if number % 2 else [0.75, 0.25]
        by = "baseline" if number >= 40 else "compressed"
        return 200, {"outputs": [{"name": "p", "data": probabilities}], "parameters": {"served_by": by}}


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    """Run a fake gateway on a free port."""
    with FakeGateway() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_answers_come_in_the_order_of_the_rows(gateway: FakeGateway) -> None:
    """Answers that overtake each other are still matched with their rows."""
    answers = list(replay(gateway.address, ROWS))
    assert [answer.row for answer in answers] == ROWS
    assert [answer.predicted for answer in answers] == [number % 2 for number in range(60)]
    assert all(answer.correct for answer in answers)
    assert [answer.served_by for answer in answers] == ["compressed"] * 40 + ["baseline"] * 20
    arrived = [request["id"] for _, request, _ in gateway.seen]
    assert arrived != sorted(arrived), "no answer overtook another: the test proves nothing"


def test_row_is_one_request_of_the_protocol(gateway: FakeGateway) -> None:
    """It has the id and the codes as one FP32 row, and neither label nor subgroups."""
    list(replay(gateway.address, ROWS[:1]))
    ((path, request, _),) = gateway.seen
    assert path == f"/v2/models/{DEMO_MODEL}/infer"
    tensor = {"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [0.0, 1.0]}
    assert request == {"id": "demo-00000", "inputs": [tensor]}


def test_rate_is_not_exceeded(gateway: FakeGateway) -> None:
    """At 200 per second no request is sent too early."""
    began = time.monotonic()
    list(replay(gateway.address, ROWS, 200.0))
    times = {int(request["id"][5:]): at - began for _, request, at in gateway.seen}
    assert all(times[number] >= number / 200 for number in range(60))
    assert max(times.values()) < 10


def test_error_names_its_row(gateway: FakeGateway) -> None:
    """Answers of earlier rows are yielded; the replay then stops without sending all rows."""
    gateway.failing = 7
    answers: list[ReplayAnswer] = []
    with pytest.raises(ReplayError, match=r"demo-00007: 503 .*out of order"):
        answers.extend(replay(gateway.address, ROWS, 400.0))
    assert [answer.row for answer in answers] == ROWS[:7]
    assert len(gateway.seen) < len(ROWS)


def test_unreachable_gateway_is_an_error() -> None:
    """The connection error is raised."""
    with FakeGateway() as server:
        address = server.address
    with pytest.raises(urllib3.exceptions.HTTPError):
        list(replay(address, ROWS[:1]))


def test_request_on_a_closed_connection_is_sent_again_once(gateway: FakeGateway) -> None:
    """Gateways close idle connections; each row still gets its answer."""
    gateway.closing = 9
    assert [answer.row for answer in replay(gateway.address, ROWS)] == ROWS
    assert gateway.closing is None
    sent = Counter(request["id"] for _, request, _ in gateway.seen)
    assert [row for row, times in sent.items() if times == 2] == ["demo-00009"]
    assert len(sent) == len(ROWS)


def test_traffic_is_the_same_every_time() -> None:
    """Ids are row numbers over both files, so replays on all machines sample the same requests."""
    rows = traffic()
    assert rows == traffic()
    assert [row.id for row in rows] == [f"demo-{number:05d}" for number in range(len(rows))]
    stable = traffic(("traffic_stable.csv",))
    assert rows[: len(stable)] == stable
    assert len(rows) > len(stable)


def test_row_has_codes_label_and_subgroups() -> None:
    """It has sixteen codes, a separate label, and one value of each attribute."""
    rows = traffic()
    assert {len(row.codes) for row in rows} == {16}
    assert {row.label for row in rows} == {0, 1}
    attributes = {tuple(sorted(scope.partition("=")[0] for scope in row.scopes)) for row in rows}
    assert attributes == {("age_band", "disability", "nativity", "race", "residence", "sex")}
    sexes = Counter((row.codes[14], scope) for row in rows for scope in row.scopes if scope.startswith("sex="))
    assert set(sexes) == {(1.0, "sex=male"), (2.0, "sex=female")}
