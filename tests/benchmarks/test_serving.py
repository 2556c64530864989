"""Tests of the serving benchmark: load generators, ratios, and the servers that the gateway is compared with."""

import asyncio
import json
import shutil
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import urllib3

from benchmarks.serving import goals, page
from benchmarks.serving.__main__ import PARTS, arguments
from benchmarks.serving.arrivals import run_stream
from benchmarks.serving.load import Slice
from benchmarks.serving.models import MODEL_KINDS, model_files
from benchmarks.serving.part import Latency, Outcome, load_outcome, save_outcome
from benchmarks.serving.process import Request, free_port, running_server
from benchmarks.serving.reference import Batcher
from benchmarks.serving.requests import as_binary, as_json, batches
from benchmarks.serving.rpc import LENGTH_TOLERANCE, framed, message, slice_of
from benchmarks.serving.server_group import ResultRow, ServerResult, result_row, server_group
from benchmarks.serving.servers import BATCHING, GATEWAY, OURS_BINARY, RAW, Candidate
from benchmarks.serving.session import Rows, session
from tests.support.observability.debian_servers import until

S = MODEL_KINDS["S"]
STALL = 0.3


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests' models and results apart from those of a real measurement."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setattr("benchmarks.serving.models.CACHE", folder)
        patch.setattr("benchmarks.serving.part.RESULTS", folder / "results")
        yield


class StallingHandler(BaseHTTPRequestHandler):
    """Answers at once, except for a stall at the twentieth request."""

    protocol_version = "HTTP/1.1"
    lock, seen = threading.Lock(), 0

    def do_POST(self) -> None:
        """Answer with an empty object."""
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            type(self).seen += 1
            time.sleep(STALL if self.seen == 20 else 0)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class BacklogServer(ThreadingHTTPServer):
    """A server with a backlog for all connections that arrive during the stall."""

    request_queue_size = 256


@contextmanager
def stalling() -> Iterator[str]:
    """Run a server that stalls once; yields its address."""
    with BacklogServer(("127.0.0.1", 0), StallingHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_stall_delays_all_requests_that_were_due_meanwhile() -> None:
    """One request stalls the server; the open loop reports the delay of all requests due in that time."""
    with stalling() as address:
        stream = run_stream(address, [Request("/", b"{}")], 100.0, 1.0)
    assert stream.errors == 0
    delayed = [latency for latency in stream.latencies if latency > 1e3 * STALL / 4]
    assert len(delayed) > 10
    assert 60 < len(stream.latencies) < 150


def test_a_response_other_than_200_is_an_error() -> None:
    """Neither an error response nor a closed connection counts as an answer."""
    port = free_port()
    command = RAW.command(S, Path(), port)
    with running_server("raw", command, port, as_json(S, 1)[0], Path("/dev/null")) as server:
        stream = run_stream(server.address, [Request("/", b"this is no JSON")], 50.0, 0.3)
    assert stream.errors > 0
    assert len(stream.latencies) == 0


def test_a_ratio_is_that_of_adjacent_slices() -> None:
    """A machine that becomes slower by half in the middle does not change the ratio: both servers slow down."""
    reference = ServerResult("raw", [Slice(100, 1.0), Slice(50, 1.0)], [1.0, 1.0])
    ours = ServerResult("gateway", [Slice(90, 1.0), Slice(45, 1.0)], [1.8, 1.8], 10.0, 1.0)
    row = result_row("S", 8, reference, ours)
    assert (row.ratio, row.lowest, row.highest) == pytest.approx((0.9, 0.9, 0.9))
    assert row.cpu_ratio == pytest.approx(2.0)
    assert row.rate == pytest.approx(67.5)


def test_models_are_the_same_on_every_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models written twice are identical to the byte; the two roles are different files whose answers agree."""
    first = {role: path.read_bytes() for role, path in model_files(S).items()}
    monkeypatch.setattr("benchmarks.serving.models.CACHE", tmp_path)
    again = model_files(S)
    assert {role: path.read_bytes() for role, path in again.items()} == first
    assert first["baseline"] != first["compressed"]
    rows = np.concatenate(batches(S, 1))
    assert session(again["baseline"])(rows) == pytest.approx(session(again["compressed"])(rows), abs=1e-3)


@pytest.mark.parametrize("name", ["M", "MC"])
def test_every_model_takes_rows_and_gives_probabilities(name: str) -> None:
    """Each row's probabilities sum to one, and rows differ: a dead network would be as fast and prove nothing."""
    kind = MODEL_KINDS[name]
    answers = session(model_files(kind)["compressed"])(np.concatenate(batches(kind, 1)))
    assert answers.sum(axis=1) == pytest.approx(np.ones(16), abs=1e-4)
    assert answers.std(axis=0).min() > 0.01


def test_requests_that_arrived_meanwhile_are_one_batch() -> None:
    """Each request gets its own rows out of one run; a lone request does not wait for others."""
    runs: list[int] = []

    def model(rows: Rows) -> Rows:
        runs.append(len(rows))
        return rows * 2

    async def callers() -> list[Rows]:
        batcher = Batcher(model)
        together = [batcher(np.full((n, 1), n, np.float32)) for n in (1, 2, 3)]
        return [*await asyncio.gather(*together), await batcher(np.ones((1, 1), np.float32))]

    answers = asyncio.run(callers())
    assert [answer.tolist() for answer in answers] == [[[2.0]], [[4.0]] * 2, [[6.0]] * 3, [[2.0]]]
    assert runs == [6, 1]


@pytest.mark.parametrize("candidate", [RAW, BATCHING, GATEWAY, OURS_BINARY], ids=lambda one: one.name)
def test_every_server_gives_the_models_answer(candidate: Candidate, tmp_path: Path) -> None:
    """No server is fast because it gives another answer."""
    requests, port = candidate.make_requests(S, 2), free_port()
    expected = session(model_files(S)["compressed"])(batches(S, 2)[1])
    command = candidate.command(S, tmp_path, port)
    with (
        running_server(candidate.name, command, port, requests[0], tmp_path / "log") as server,
        urllib3.PoolManager() as http,
    ):
        one, role = requests[1], b"compressed" if "gateway" in candidate.name else b""
        send = partial(http.request, "POST", server.address + one.path, body=one.body, headers=dict(one.headers))
        until(lambda: role in send().data, 30)  # a gateway of a cluster starts with the baseline
        answer = send()
        assert server.cost().megabytes > 20
        assert server.cost().seconds > 0
    assert _probabilities(answer) == pytest.approx(expected, abs=1e-6)


def _probabilities(answer: urllib3.BaseHTTPResponse) -> Rows:
    length = answer.headers.get("Inference-Header-Content-Length")
    head = json.loads(answer.data[: int(length)] if length else answer.data)
    if length:
        return np.frombuffer(answer.data, np.float32, offset=int(length)).reshape(-1, 2)
    return np.array(head["outputs"][0]["data"], np.float32).reshape(-1, 2)


def test_the_minimal_server_supports_binary_tensors(tmp_path: Path) -> None:
    """Binary input and output tensors give the model's answer."""
    port, requests = free_port(), as_binary(S, 3)
    with running_server("raw", RAW.command(S, tmp_path, port), port, requests[0], tmp_path / "log") as server:
        one = requests[2]
        answer = urllib3.request("POST", server.address + one.path, body=one.body, headers=dict(one.headers))
    assert _probabilities(answer) == pytest.approx(session(model_files(S)["compressed"])(batches(S, 3)[2]), abs=1e-6)


def test_wrk_sends_the_given_requests(tmp_path: Path) -> None:
    """Answers are counted and the script is valid: no request fails, in JSON and with binary tensors."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk is missing: apt-get install wrk")
    with server_group(S, [BATCHING, GATEWAY, OURS_BINARY], tmp_path) as group:
        results = group.measure_turns(4, 1, 1.0)
    assert [result.errors for result in results] == [0, 0, 0]
    assert all(result.rate > 1 and result.cpu_per_1000[0] > 0 for result in results)


def test_unknown_names_are_refused_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line names the valid choices before anything is measured."""
    monkeypatch.setattr("sys.argv", ["serving", "--cells", "S", "--servers", "gateway,gateway (binary)"])
    assert arguments().servers == ["gateway", "gateway (binary)"]
    monkeypatch.setattr("sys.argv", ["serving", "--parts", "table,peer"])
    with pytest.raises(SystemExit):
        arguments()
    assert "there is no 'peer'; there are table, heads, binary" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["serving", "--help"])
    with pytest.raises(SystemExit, match="0"):
        arguments()


def outcomes(ratio: float) -> dict[str, Outcome]:
    """Made-up results in which the gateway has this ratio to the minimal servers."""
    results = {name: Outcome() for name in PARTS}
    for server, share in (("raw_mb0", 1.0), ("gateway", ratio), ("gateway (Kafka)", ratio)):
        values = {"lowest": share, "highest": share, "p50": 1.0, "p99": 2.0, "cpu": 0.04, "cpu_ratio": 1.2}
        row = ResultRow("S", 8, server, 1e4 * share, share, megabytes=99.0, ready_seconds=1.0, errors=0, **values)
        results["table"].rows.append(row)
    results["soak"].latencies.append(Latency("10 minutes", "gateway", 1e3, 0.1, 0.2, 0.3, 0, 0.1))
    return results


@pytest.mark.parametrize(("ratio", "verdict"), [(0.86, "met"), (0.8496, "met"), (0.84, "not met")])
def test_a_goal_is_met_or_not(ratio: float, verdict: str) -> None:
    """The figure is compared as it is displayed; a figure that was not measured is neither met nor not met."""
    verdicts = {goal.name: goal.verdict for goal in goals.goals(outcomes(ratio))}
    assert verdicts["S, 8 connections: requests/s / raw_mb0"] == verdict
    assert verdicts["S, 8 connections, real Kafka: requests/s / raw_mb0"] == verdict
    assert verdicts["MC, 32 connections: requests/s / raw"] == "not measured"
    assert verdicts["all other parts: failed requests"] == "met"


def test_the_fastest_peer_decides_the_goal() -> None:
    """One peer that is faster than the gateway fails the goal, although another is slower."""
    measured = outcomes(0.86)
    measured["peers"].figures.update({"one / gateway, best case": 0.7, "other / gateway, best case": 1.02})
    (fastest,) = (goal for goal in goals.goals(measured) if "other server" in goal.name)
    assert (fastest.measured, fastest.verdict) == (1.02, "not met")


def test_the_page_shows_the_stored_results() -> None:
    """Results are stored and loaded without change; the page has their tables and reasons, and the picture is XML."""
    for name, outcome in outcomes(0.86).items():
        outcome.missing.append(f"{name} & more")
        save_outcome(name, outcome)
    loaded = {name: load_outcome(name) for name in PARTS}
    assert loaded["table"].rows == outcomes(0.86)["table"].rows
    written = page.page(loaded)
    assert "| S | 8 | gateway | 8,600 | 86.0% |" in written
    assert all(f"Not measured: {name} & more." in written for name in PARTS)
    drawn = ET.fromstring(page.picture(loaded))  # noqa: S314 - our own
    assert "86%" in {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}


def test_calls_are_encoded_and_framed_as_in_grpc() -> None:
    """Fields are tag, length and value as in the protocol's messages; a length above 127 takes two bytes."""
    batch = np.full((1, 2), 1.0, np.float32)
    tensor = b"\x0a\x05input\x12\x04FP32\x1a\x02\x01\x02"
    expected = b"\x0a\x01S\x2a" + bytes([len(tensor)]) + tensor + b"\x3a\x08" + b"\0\0\x80\x3f" * 2
    assert message(S, batch) == expected
    assert framed(expected) == b"\0\0\0\0" + bytes([len(expected)]) + expected
    assert message(S, np.zeros((1, 64), np.float32))[-258:-256] == b"\x80\x02"


def test_a_call_without_an_answer_is_an_error() -> None:
    """h2load sees status 200 even where gRPC fails; the number of bytes shows the failure."""
    calls = np.array([[0, 200, 1000.0], [0, 200, 3000.0], [0, 200, 2000.0]])
    output = "traffic: 1.2KB (1234) total, 500B (500) headers (space savings 90.00%), {0}B ({0}) data"
    complete = slice_of(output.format(3 * 100 + 5), calls, 100, 2.0)
    assert (complete.requests, complete.errors, complete.p50) == (3, 0, 2.0)
    assert slice_of(output.format(2 * (100 + LENGTH_TOLERANCE)), calls, 100, 2.0).errors == 1
