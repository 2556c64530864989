"""What decides a figure of the benchmark: the load, the ratios, the servers that the gateway is held against."""

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
from benchmarks.serving.arrivals import stream
from benchmarks.serving.load import Slice
from benchmarks.serving.models import KINDS, made
from benchmarks.serving.part import Latency, Outcome, keep, kept
from benchmarks.serving.process import Request, free_port, running
from benchmarks.serving.reference import Batches
from benchmarks.serving.requests import as_binary, as_json, batches
from benchmarks.serving.rpc import SPARE, framed, message, slice_of
from benchmarks.serving.servers import BATCHING, GATEWAY, OURS_BINARY, RAW, Candidate
from benchmarks.serving.session import Rows, session
from benchmarks.serving.turns import Row, Side, ring, row
from tests.support.observability.debian_servers import until

S = KINDS["S"]
STALL = 0.3


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Models and results of the tests stay apart from those of a measurement."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setattr("benchmarks.serving.models.CACHE", folder)
        patch.setattr("benchmarks.serving.part.RESULTS", folder / "results")
        yield


class Stalling(BaseHTTPRequestHandler):
    """Answers at once, but for a moment after the twentieth request nobody gets anything."""

    protocol_version = "HTTP/1.1"
    lock, seen = threading.Lock(), 0

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            type(self).seen += 1
            time.sleep(STALL if self.seen == 20 else 0)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Crowded(ThreadingHTTPServer):
    """Lets everybody connect who comes while it answers nobody."""

    request_queue_size = 256


@contextmanager
def stalling() -> Iterator[str]:
    """Such a server's address."""
    with Crowded(("127.0.0.1", 0), Stalling) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_server_that_stalls_is_charged_for_everybody_who_came_meanwhile() -> None:
    """One request was held up; the open loop tells the delay of all that were due in that time."""
    with stalling() as address:
        found = stream(address, [Request("/", b"{}")], 100.0, 1.0)
    assert found.errors == 0
    waited = [latency for latency in found.latencies if latency > 1e3 * STALL / 4]
    assert len(waited) > 10
    assert 60 < len(found.latencies) < 150


def test_what_is_not_answered_with_200_is_an_error() -> None:
    """Neither a refusal nor a server that is gone counts as an answer."""
    place = free_port()
    command = RAW.command(S, Path(), place)
    with running("raw", command, place, as_json(S, 1)[0], Path("/dev/null")) as server:
        found = stream(server.address, [Request("/", b"this is no JSON")], 50.0, 0.3)
    assert found.errors > 0
    assert len(found.latencies) == 0


def test_a_ratio_is_that_of_adjacent_slices() -> None:
    """A machine that becomes slower by half in the middle changes nothing, as it does so for both."""
    reference = Side("raw", [Slice(100, 1.0), Slice(50, 1.0)], [1.0, 1.0])
    ours = Side("gateway", [Slice(90, 1.0), Slice(45, 1.0)], [1.8, 1.8], 10.0, 1.0)
    found = row("S", 8, reference, ours)
    assert (found.ratio, found.least, found.most) == pytest.approx((0.9, 0.9, 0.9))
    assert found.price_ratio == pytest.approx(2.0)
    assert found.rate == pytest.approx(67.5)


def test_models_are_the_same_on_every_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written twice they are alike to the byte; the two roles are different files that agree."""
    first = {role: path.read_bytes() for role, path in made(S).items()}
    monkeypatch.setattr("benchmarks.serving.models.CACHE", tmp_path)
    again = made(S)
    assert {role: path.read_bytes() for role, path in again.items()} == first
    assert first["baseline"] != first["compressed"]
    rows = np.concatenate(batches(S, 1))
    assert session(again["baseline"])(rows) == pytest.approx(session(again["compressed"])(rows), abs=1e-3)


@pytest.mark.parametrize("name", ["M", "MC"])
def test_every_model_takes_rows_and_gives_probabilities(name: str) -> None:
    """Of a batch, each row's sum to one, and rows differ: a dead network would be as fast and mean nothing."""
    kind = KINDS[name]
    answers = session(made(kind)["compressed"])(np.concatenate(batches(kind, 1)))
    assert answers.sum(axis=1) == pytest.approx(np.ones(16), abs=1e-4)
    assert answers.std(axis=0).min() > 0.01


def test_whatever_arrived_meanwhile_is_one_batch() -> None:
    """Each caller gets the rows that it sent, out of one run; a caller alone does not wait for others."""
    runs: list[int] = []

    def model(rows: Rows) -> Rows:
        runs.append(len(rows))
        return rows * 2

    async def callers() -> list[Rows]:
        waiting = Batches(model)
        together = [waiting(np.full((n, 1), n, np.float32)) for n in (1, 2, 3)]
        return [*await asyncio.gather(*together), await waiting(np.ones((1, 1), np.float32))]

    answers = asyncio.run(callers())
    assert [answer.tolist() for answer in answers] == [[[2.0]], [[4.0]] * 2, [[6.0]] * 3, [[2.0]]]
    assert runs == [6, 1]


@pytest.mark.parametrize("candidate", [RAW, BATCHING, GATEWAY, OURS_BINARY], ids=lambda one: one.name)
def test_every_server_gives_the_models_answer(candidate: Candidate, tmp_path: Path) -> None:
    """Whoever was quick because it answers something else would be found here."""
    requests, port = candidate.ask(S, 2), free_port()
    expected = session(made(S)["compressed"])(batches(S, 2)[1])
    command = candidate.command(S, tmp_path, port)
    with running(candidate.name, command, port, requests[0], tmp_path / "log") as server, urllib3.PoolManager() as http:
        one, wanted = requests[1], b"compressed" if "gateway" in candidate.name else b""
        ask = partial(http.request, "POST", server.address + one.path, body=one.body, headers=dict(one.headers))
        until(lambda: wanted in ask().data, 30)  # a gateway of a cluster begins cautiously, with the baseline
        answer = ask()
        assert server.cost().megabytes > 20
        assert server.cost().seconds > 0
    assert _probabilities(answer) == pytest.approx(expected, abs=1e-6)


def _probabilities(answer: urllib3.BaseHTTPResponse) -> Rows:
    length = answer.headers.get("Inference-Header-Content-Length")
    head = json.loads(answer.data[: int(length)] if length else answer.data)
    if length:
        return np.frombuffer(answer.data, np.float32, offset=int(length)).reshape(-1, 2)
    return np.array(head["outputs"][0]["data"], np.float32).reshape(-1, 2)


def test_the_reference_understands_bytes_too(tmp_path: Path) -> None:
    """The same rows, as bytes there and back."""
    port, requests = free_port(), as_binary(S, 3)
    with running("raw", RAW.command(S, tmp_path, port), port, requests[0], tmp_path / "log") as server:
        one = requests[2]
        answer = urllib3.request("POST", server.address + one.path, body=one.body, headers=dict(one.headers))
    assert _probabilities(answer) == pytest.approx(session(made(S)["compressed"])(batches(S, 3)[2]), abs=1e-6)


def test_wrk_sends_what_it_is_given(tmp_path: Path) -> None:
    """Its answers are counted, and its script is understood: no request fails, in JSON and in bytes."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk is missing: apt-get install wrk")
    with ring(S, [BATCHING, GATEWAY, OURS_BINARY], tmp_path) as up:
        sides = up.turns(4, 1, 1.0)
    assert [side.errors for side in sides] == [0, 0, 0]
    assert all(side.rate > 1 and side.prices[0] > 0 for side in sides)


def test_names_that_nobody_knows_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In a second, with those that there are; not after an hour of measuring."""
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
    """As if the gateway were so fast, and the rest were as it should be."""
    found = {name: Outcome() for name in PARTS}
    for server, share in (("raw_mb0", 1.0), ("gateway", ratio), ("gateway (Kafka)", ratio)):
        at = {"least": share, "most": share, "p50": 1.0, "p99": 2.0, "price": 0.04, "price_ratio": 1.2}
        one = Row("S", 8, server, 1e4 * share, share, megabytes=99.0, ready_seconds=1.0, errors=0, **at)
        found["table"].rows.append(one)
    found["soak"].latencies.append(Latency("10 minutes", "gateway", 1e3, 0.1, 0.2, 0.3, 0, 0.1))
    return found


@pytest.mark.parametrize(("ratio", "verdict"), [(0.86, "met"), (0.8496, "met"), (0.84, "not met")])
def test_a_goal_is_met_or_not(ratio: float, verdict: str) -> None:
    """By the figure that is shown; what nobody measured is neither."""
    found = {goal.told: goal.verdict for goal in goals.goals(outcomes(ratio))}
    assert found["S, 8 connections: rate beside raw_mb0"] == verdict
    assert found["S, 8 connections, real Kafka: rate beside raw_mb0"] == verdict
    assert found["MC, 32 connections: rate beside raw"] == "not measured"
    assert found["everywhere else: failed requests"] == "met"


def test_one_that_is_faster_anywhere_is_told() -> None:
    """However many are slower."""
    measured = outcomes(0.86)
    measured["peers"].figures.update({"one, where it is fastest": 0.7, "other, where it is fastest": 1.02})
    (found,) = (goal for goal in goals.goals(measured) if "of others" in goal.told)
    assert (found.found, found.verdict) == (1.02, "not met")


def test_the_page_has_what_was_kept() -> None:
    """Outcomes come back as they were, with their tables and reasons on the page, and the picture is one."""
    for name, outcome in outcomes(0.86).items():
        outcome.missing.append(f"{name} & more")
        keep(name, outcome)
    back = {name: kept(name) for name in PARTS}
    assert back["table"].rows == outcomes(0.86)["table"].rows
    written = page.page(back)
    assert "| S | 8 | gateway | 8,600 | 86.0% |" in written
    assert all(f"Not measured: {name} & more." in written for name in PARTS)
    drawn = ET.fromstring(page.picture(back))  # noqa: S314 - our own
    assert "86%" in {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}


def test_a_call_is_framed_as_grpc_has_it() -> None:
    """Tag, length, value, as the protocol's messages say; a length beyond 127 takes two bytes."""
    batch = np.full((1, 2), 1.0, np.float32)
    tensor = b"\x0a\x05input\x12\x04FP32\x1a\x02\x01\x02"
    expected = b"\x0a\x01S\x2a" + bytes([len(tensor)]) + tensor + b"\x3a\x08" + b"\0\0\x80\x3f" * 2
    assert message(S, batch) == expected
    assert framed(expected) == b"\0\0\0\0" + bytes([len(expected)]) + expected
    assert message(S, np.zeros((1, 64), np.float32))[-258:-256] == b"\x80\x02"


def test_a_call_without_an_answer_is_an_error() -> None:
    """h2load sees 200 where gRPC refuses; the bytes tell."""
    calls = np.array([[0, 200, 1000.0], [0, 200, 3000.0], [0, 200, 2000.0]])
    told = "traffic: 1.2KB (1234) total, 500B (500) headers (space savings 90.00%), {0}B ({0}) data"
    whole = slice_of(told.format(3 * 100 + 5), calls, 100, 2.0)
    assert (whole.requests, whole.errors, whole.p50) == (3, 0, 2.0)
    assert slice_of(told.format(2 * (100 + SPARE)), calls, 100, 2.0).errors == 1
