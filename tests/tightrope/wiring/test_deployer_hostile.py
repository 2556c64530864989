"""Hostile files and floods of deployments at a real server: others notice nothing."""

import contextlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.support.commands import tightrope
from tests.support.configs import write_config
from tests.support.harmful_pair import BASELINE, config, request, traffic
from tests.support.hostile_models import crash, endless_to_load, endless_to_run
from tests.support.onnx_models import classifier
from tests.support.servers import Server, serving
from tests.support.serving.service_harness import AUTH, OK, BackgroundClient, eventually

WHY = {"reason": "a test asks for it", "actor": "tests"}
ROW = request(traffic(1, harm=False)[0])
WAITING = 1
LIMITS = {"seconds": 1.0, "memory_bytes": 512 * 1024**2, "waiting": WAITING}

MAX_SECONDS = 3.0
"""The slowest three answers that others may get on a busy machine; a server whose threads are all taken gives none."""


def write(folder: Path, **limits: object) -> Path:
    """Write a configuration with narrow limits, and the candidates."""
    for write_model in (crash, endless_to_run):
        write_model(folder / f"{write_model.__name__}.onnx")
    classifier(folder / "sound.onnx", np.float32(1.01) * BASELINE)
    server = {"port": 0, "drain_seconds": 4}
    return write_config(folder, {**config(folder), "server": server, "candidates": {**LIMITS, **limits}})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all candidates."""
    with serving(write(tmp_path_factory.mktemp("hostile"))) as running:
        yield running


def deploy(server: Server, name: str) -> httpx.Response:
    """Request the deployment of a file; any number of threads may do so at once."""
    return server.client.post("/v1/models/m/deploy", json={**WHY, "path": name}, headers=AUTH)


def everything_is_answered(client: httpx.Client) -> bool:
    """Whether health, metrics and inference are answered."""
    answers = [client.get("/v2/health/ready"), client.get("/metrics"), client.post("/v2/models/m/infer", json=ROW)]
    return [answer.status_code for answer in answers] == [OK] * 3


@pytest.mark.parametrize("kind", [crash, endless_to_run], ids=lambda kind: kind.__name__)
def test_hostile_file_is_refused(server: Server, kind: Callable[[Path], Path]) -> None:
    """400 with one line that names the file; the server lives, and others are answered meanwhile."""
    before = server.client.get("/v1/models/m").json()["compressed_digest"]
    with BackgroundClient(server.address, everything_is_answered) as others:
        answer = deploy(server, f"{kind.__name__}.onnx")
        others.is_served()
    assert answer.status_code == 400
    assert f"/{kind.__name__}.onnx: " in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert others.slowest < MAX_SECONDS
    assert server.client.get("/v1/models/m").json()["compressed_digest"] == before


def test_flood_of_deployments_takes_no_threads(server: Server) -> None:
    """A few of 45 wait; the others get 503 with Retry-After, and all else is answered meanwhile."""
    with (
        BackgroundClient(server.address, everything_is_answered) as others,
        ThreadPoolExecutor(45) as pool,
    ):
        answers = list(pool.map(lambda _: deploy(server, "endless_to_run.onnx"), range(45)))
        others.is_served()
    codes = Counter(answer.status_code for answer in answers)
    assert set(codes) == {400, 503}
    assert codes[400] >= WAITING + 1
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["error"] == "a deployment is under way, and as many wait as may: 1 (candidates.waiting)"
    assert others.slowest < MAX_SECONDS
    assert eventually(lambda: deploy(server, "sound.onnx").status_code == OK), "a busy machine may be too slow once"


def test_server_stops_during_a_trial(tmp_path: Path) -> None:
    """A candidate that loops holds no process back, and none is left behind."""
    with serving(write(tmp_path, seconds=600)) as server:
        children = Path(f"/proc/{server.process.pid}/task")

        def call() -> None:
            with contextlib.suppress(httpx.HTTPError):
                deploy(server, "endless_to_run.onnx")

        calling = threading.Thread(target=call)
        calling.start()

        def trials() -> list[str]:
            return [child for file in children.glob("*/children") for child in file.read_text().split()]

        (trial,) = eventually(trials)
        began = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0
        assert time.monotonic() - began < 25
        calling.join(30.0)
        eventually(lambda: not Path(f"/proc/{trial}").exists(), 5.0)


def test_start_with_an_endless_file_ends_with_one_line(tmp_path: Path) -> None:
    """It neither hangs nor prints a traceback: exit code 1, and the line names the file and the limit."""
    sections = config(tmp_path, compressed=str(endless_to_load(tmp_path / "hostile.onnx")))
    ended = tightrope("run", write_config(tmp_path, {**sections, "candidates": {"seconds": 3}}))
    expected = f"models.m.compressed: {tmp_path}/hostile.onnx: loading took more than 3 s (candidates.seconds)"
    assert (ended.returncode, ended.stdout, ended.stderr.splitlines()) == (1, "", [f"error {expected}"])


def test_check_survives_a_file_that_crashes(tmp_path: Path) -> None:
    """One line, exit code 1; another model is checked all the same, each of its files."""
    sections = config(tmp_path, compressed=str(crash(tmp_path / "hostile.onnx")))
    sections["models"]["other"] = {**sections["models"]["m"], "baseline": "gone.onnx"}
    ended = tightrope("check", write_config(tmp_path, sections))
    assert (ended.returncode, ended.stdout) == (1, "")
    first, *others = ended.stderr.splitlines()
    assert first.startswith(f"error models.m.compressed: {tmp_path}/hostile.onnx: loading ended its process with SIG")
    assert [line.partition(": ")[0] for line in others] == [
        "error models.other.compressed",
        "error models.other.baseline",
    ]
