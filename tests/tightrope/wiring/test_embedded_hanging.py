"""A real `tightrope run` with models that hang: other models, health and metrics never wait for them."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.configs import write_config
from tests.support.onnx_models import classifier, looping, squaring
from tests.support.servers import Server, serving
from tests.support.serving.model_pairs import CALM, weights
from tests.support.serving.service_harness import body, eventually

FOREVER = 1e12
RUN_SECONDS = 1.0
WIDE, LARGE, LARGEST = 3000, 4000.0, 7000.0
"""The side of matrices whose product takes a second or more, or half a minute, in one node."""

LONGEST_WAIT = 1.0
"""Seconds that a request for health may take on a busy machine; the runs beside it take longer."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Provide a server of pairs; one model of each, or both, take as long as the input says."""
    folder = tmp_path_factory.mktemp("hanging")
    quick = str(classifier(folder / "q.onnx", weights((1, -1))))
    other = str(classifier(folder / "r.onnx", weights((1, -2))))
    loops = str(looping(folder / "l.onnx"))
    wide, stuck = str(squaring(folder / "w.onnx")), str(squaring(folder / "s.onnx", by_value=True))
    pairs = {
        "quick": {"baseline": quick, "compressed": other},
        "wide": {"baseline": wide, "compressed": wide, "run_seconds": 60},
        "loops": {"baseline": quick, "compressed": loops, "run_seconds": RUN_SECONDS},
        "unjudged": {"baseline": stuck, "compressed": quick, "run_seconds": RUN_SECONDS},
        "stuck": {"baseline": quick, "compressed": stuck, "run_seconds": RUN_SECONDS},
    }
    models = {name: {**CALM, **pair} for name, pair in pairs.items()}
    with serving(write_config(folder, {"models": models, "server": {"port": 0}})) as running:
        yield running


def infer(server: Server, model: str, row: list[float]) -> dict[str, Any]:
    """Return the parameters of the answer to a row."""
    answer = httpx.post(f"{server.address}/v2/models/{model}/infer", json=body([row]), timeout=60.0)
    assert answer.status_code == 200, answer.text
    parameters: dict[str, Any] = answer.json()["parameters"]
    return parameters


def metric(server: Server, name: str, model: str) -> float:
    """Return the sum of a metric's series of a model."""
    lines = server.client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f'{name}{{model="{model}"'))


def judged(server: Server, model: str) -> int:
    """Count the judged rows of a model."""
    progress = server.client.get(f"/v1/models/{model}").json()["judged"]
    return int(progress["seen"] + progress["pending"])


def beside(server: Server, model: str, row: list[float]) -> tuple[dict[str, Any], float, float]:
    """Ask for health, for another model and for metrics while a row is answered; returns the parameters of its answer,
    the seconds it took, and the longest wait of the others.
    """
    longest, began = 0.0, time.monotonic()
    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=server.address, timeout=60.0) as client:
        answering = pool.submit(infer, server, model, row)
        while not answering.done():
            for path in ("/v2/health/live", "/v2/health/ready", "/metrics"):
                asked = time.monotonic()
                assert client.get(path).status_code == 200
                longest = max(longest, time.monotonic() - asked)
            asked = time.monotonic()
            assert client.post("/v2/models/quick/infer", json=body([[1.0]])).status_code == 200
            longest = max(longest, time.monotonic() - asked)
            time.sleep(0.02)
        return answering.result(), time.monotonic() - began, longest


def test_wide_row_does_not_hold_the_event_loop(server: Server) -> None:
    """One row, but of thousands of numbers: a size that was never measured runs in a thread."""
    for _ in range(3):
        infer(server, "wide", [0.0])
    _, seconds, longest = beside(server, "wide", [0.0] * WIDE)
    assert longest < min(LONGEST_WAIT, seconds)


def test_run_over_its_deadline_is_answered_by_the_other_role(server: Server) -> None:
    """And it is told by metrics and an event."""
    parameters, seconds, longest = beside(server, "loops", [FOREVER])
    assert (parameters["served_by"], parameters["fallback"]) == ("baseline", "compressed")
    assert RUN_SECONDS <= seconds < 10 * RUN_SECONDS
    assert longest < LONGEST_WAIT
    assert metric(server, "tightrope_runs_terminated_total", "loops") == 1.0

    def reasons() -> list[str]:
        events = server.client.get("/v1/events?model=loops&limit=1000").json()["events"]
        return [event["reason"] for event in events if event["kind"] == "model-failed"]

    assert eventually(reasons)[0].startswith("deadline: no answer within 1 s")


def test_run_that_ignores_its_end_is_given_up(server: Server) -> None:
    """Its requests are answered by the other role, and so are those that come meanwhile."""
    parameters, _, longest = beside(server, "stuck", [LARGE])
    assert (parameters["served_by"], parameters["fallback"]) == ("baseline", "compressed")
    assert longest < LONGEST_WAIT
    began = time.monotonic()
    infer(server, "stuck", [0.0])
    assert time.monotonic() - began < LONGEST_WAIT


def test_worker_goes_on_while_a_baseline_hangs(server: Server) -> None:
    """Rows of other models are judged; rows that cannot be compared are errors."""
    before = judged(server, "quick")
    infer(server, "unjudged", [LARGEST])
    time.sleep(RUN_SECONDS)
    for _ in range(5):
        infer(server, "quick", [1.0])
    eventually(lambda: judged(server, "quick") >= before + 5, 10 * RUN_SECONDS)
    eventually(lambda: metric(server, "tightrope_shadow_runs_terminated_total", "unjudged"), 60.0)
    eventually(lambda: metric(server, "tightrope_comparison_errors_total", "unjudged"), 60.0)


def test_server_stops_while_a_run_is_stuck(server: Server) -> None:
    """It is not waited for; this is the last test of the file."""
    threading.Thread(target=lambda: httpx.post(
        f"{server.address}/v2/models/stuck/infer", json=body([[LARGEST]]), timeout=120.0
    ), daemon=True).start()  # fmt: skip
    time.sleep(3 * RUN_SECONDS)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 30.0
