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
from tightrope.demo.replay import CONNECTIONS, MODEL, Answer, ReplayError, Row, replay, traffic

ROWS = [Row(f"demo-{number:05d}", (float(number), 1.0), number % 2, (SCOPES[0],)) for number in range(60)]


class Echo(BaseHTTPRequestHandler):
    """Answers with the class that the first code's parity says, the later the lower the row's number is."""

    protocol_version = "HTTP/1.1"
    server: "Listening"

    def do_POST(self) -> None:
        """One request."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, request, time.monotonic()))
        number = int(request["inputs"][0]["data"][0])
        if number == self.server.closing:
            self.server.closing, self.close_connection = None, True
            return
        if number % CONNECTIONS == 0:
            time.sleep(0.005)
        status, answer = self.server.answer(number)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Listening(ThreadingHTTPServer):
    """A gateway of sorts, with what it was asked; ``failing`` is the number of the row that it refuses, ``closing`` of
    the one that it leaves without an answer, once.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.seen: list[tuple[str, dict[str, Any], float]] = []
        self.failing: int | None = None
        self.closing: int | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, number: int) -> tuple[int, dict[str, Any]]:
        """Status and body."""
        if number == self.failing:
            return 503, {"error": "out of order"}
        said = [0.25, 0.75] if number % 2 else [0.75, 0.25]
        by = "baseline" if number >= 40 else "compressed"
        return 200, {"outputs": [{"name": "p", "data": said}], "parameters": {"served_by": by}}


@pytest.fixture
def gateway() -> Iterator[Listening]:
    """A server of the standard library, on a free port."""
    with Listening() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_answers_come_in_the_order_of_the_rows(gateway: Listening) -> None:
    """However the answers overtake each other on the way, each belongs to its row."""
    answers = list(replay(gateway.address, ROWS))
    assert [answer.row for answer in answers] == ROWS
    assert [answer.predicted for answer in answers] == [number % 2 for number in range(60)]
    assert all(answer.correct for answer in answers)
    assert [answer.served_by for answer in answers] == ["compressed"] * 40 + ["baseline"] * 20
    arrived = [request["id"] for _, request, _ in gateway.seen]
    assert arrived != sorted(arrived), "nothing overtook anything: the test shows nothing"


def test_row_is_one_request_of_the_protocol(gateway: Listening) -> None:
    """Its id, its codes as one FP32 row, and nothing that only the demo knows."""
    list(replay(gateway.address, ROWS[:1]))
    ((path, request, _),) = gateway.seen
    assert path == f"/v2/models/{MODEL}/infer"
    tensor = {"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [0.0, 1.0]}
    assert request == {"id": "demo-00000", "inputs": [tensor]}


def test_rate_is_not_exceeded(gateway: Listening) -> None:
    """At 200 a second no request comes before its time."""
    began = time.monotonic()
    list(replay(gateway.address, ROWS, 200.0))
    times = {int(request["id"][5:]): at - began for _, request, at in gateway.seen}
    assert all(times[number] >= number / 200 for number in range(60))
    assert max(times.values()) < 10


def test_error_names_its_row(gateway: Listening) -> None:
    """The answers before it are given; the replay ends there, and does not send all the rest."""
    gateway.failing = 7
    answers: list[Answer] = []
    with pytest.raises(ReplayError, match=r"demo-00007: 503 .*out of order"):
        answers.extend(replay(gateway.address, ROWS, 400.0))
    assert [answer.row for answer in answers] == ROWS[:7]
    assert len(gateway.seen) < len(ROWS)


def test_gateway_that_is_not_there_is_an_error() -> None:
    """Nobody listens: the connection error is raised, and not taken for an answer."""
    with Listening() as server:
        address = server.address
    with pytest.raises(urllib3.exceptions.HTTPError):
        list(replay(address, ROWS[:1]))


def test_connection_that_closes_is_asked_again_once(gateway: Listening) -> None:
    """A gateway closes what was idle: the request goes over another connection, and every row has its answer."""
    gateway.closing = 9
    assert [answer.row for answer in replay(gateway.address, ROWS)] == ROWS
    assert gateway.closing is None
    sent = Counter(request["id"] for _, request, _ in gateway.seen)
    assert [row for row, times in sent.items() if times == 2] == ["demo-00009"]
    assert len(sent) == len(ROWS)


def test_traffic_is_the_same_every_time() -> None:
    """Ids are the rows' numbers over both files: a replay on another machine samples the same requests."""
    rows = traffic()
    assert rows == traffic()
    assert [row.id for row in rows] == [f"demo-{number:05d}" for number in range(len(rows))]
    stable = traffic(("traffic_stable.csv",))
    assert rows[: len(stable)] == stable
    assert len(rows) > len(stable)


def test_row_knows_its_codes_its_truth_and_its_subgroups() -> None:
    """Sixteen codes, a label that is no code, one value of every attribute."""
    rows = traffic()
    assert {len(row.codes) for row in rows} == {16}
    assert {row.label for row in rows} == {0, 1}
    attributes = {tuple(sorted(scope.partition("=")[0] for scope in row.scopes)) for row in rows}
    assert attributes == {("age_band", "disability", "nativity", "race", "residence", "sex")}
    sexes = Counter((row.codes[14], scope) for row in rows for scope in row.scopes if scope.startswith("sex="))
    assert set(sexes) == {(1.0, "sex=male"), (2.0, "sex=female")}
