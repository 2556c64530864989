import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.commands import command, environment, tightrope
from tests.support.configs import ROOT, TOKEN, write_config
from tests.support.harmful_pair import MAJORITY, MINORITY, OTHER, config, request, traffic
from tests.support.judgement.comparisons import judged_count, open_tick_rows
from tests.support.servers import Server, serving
from tightrope.monitors.plan import State
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.service.config.process.server import ServerSection
from tightrope.service.transport.memory_bound import memory_bound
from tightrope.wiring.embedded import DATABASE

INFER = "/v2/models/m/infer"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration in a folder of its own."""
    return write_config(tmp_path, config(tmp_path))


@pytest.fixture(scope="module")
def neighbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A running server and its configuration file."""
    folder = tmp_path_factory.mktemp("neighbour")
    file = write_config(folder, config(folder))
    with serving(file) as server:
        yield server, file


def saved_state(path: Path) -> State:
    """Return the state that a stopped server left."""
    store = SqliteStore(path.parent / "state" / DATABASE)
    snapshot = store.snapshot("m")
    store.close()
    assert snapshot is not None
    return record_codec.decode_state(snapshot)


def total_rows(state: State) -> int:
    """Return the number of rows judged, with those of the open tick."""
    return judged_count(state) + len(open_tick_rows(state))


def model(server: Server) -> dict[str, Any]:
    """Return the status of the model."""
    return dict(server.client.get("/v1/models/m").json())


def harm(server: Server, requests: int = 8) -> None:
    """Send rows that trip the minority, and wait until they are judged."""
    for seed in range(requests):
        for rows in (traffic(96, harm=True, seed=seed)[:48], traffic(96, harm=True, seed=seed)[48:]):
            assert server.client.post(INFER, json=request(rows)).status_code == 200
    wait_until_judged(server, requests * 96)


def wait_until_judged(server: Server, rows: int) -> dict[str, Any]:
    """Return the status once this many rows are judged and nothing changes any more."""
    deadline, status = time.monotonic() + 30, model(server)
    while True:
        time.sleep(0.1)
        before, status = status, model(server)
        if status == before and status["judged"]["seen"] + status["judged"]["pending"] >= rows:
            return status
        assert time.monotonic() < deadline, f"{rows} rows are not judged: {status['judged']}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_drains_what_was_served(path: Path, number: signal.Signals) -> None:
    """Callers are interrupted; every row that was answered is in the saved_state state."""
    answered = [0] * 3

    def call(index: int, address: str) -> None:
        row = request(traffic(1, harm=False)[0])
        with httpx.Client(base_url=address) as client:
            try:
                while client.post(INFER, json=row).status_code == 200:
                    answered[index] += 1
            except httpx.TransportError:
                return

    with serving(path) as server:
        callers = [threading.Thread(target=call, args=(index, server.address)) for index in range(3)]
        for caller in callers:
            caller.start()
        while min(answered) < 10 and all(caller.is_alive() for caller in callers):
            time.sleep(0.01)
        assert server.stop(number) == 0
        for caller in callers:
            caller.join()
    assert min(answered) >= 10
    assert total_rows(saved_state(path)) == sum(answered)


def test_restart_continues_modes_events_and_counts(path: Path) -> None:
    """The judge's decisions and an operator's order survive a restart, and counts continue."""
    with serving(path) as server:
        harm(server)
        body = {"scope": MAJORITY, "reason": "a rehearsal", "actor": "ann"}
        order = server.client.post(
            "/v1/models/m/force-safe", json=body, headers={"authorization": f"Bearer {TOKEN}"}
        ).json()
        assert order["confirmed"]
        before, events = model(server), server.client.get("/v1/events?after=0").json()
        assert server.stop() == 0
    assert [event["kind"] for event in events["events"]] == ["fresh-state", "breach", "dwell-elapsed", "force-safe"]
    with serving(path) as server:
        after = model(server)
        assert after["scopes"] == {"model": "normal", MINORITY: "safe", MAJORITY: "safe", OTHER: "normal"}
        assert {key: after[key] for key in ("scopes", "safe", "epoch", "judged")} == {
            key: before[key] for key in ("scopes", "safe", "epoch", "judged")
        }
        assert server.client.get("/v1/events?after=0").json() == events
        answer = server.client.post(INFER, json=request(traffic(6, harm=True))).json()
        assert answer["parameters"]["served_by"] == "baseline"
        assert wait_until_judged(server, 8 * 96 + 6)["judged"]["seen"] >= before["judged"]["seen"]
        assert server.stop() == 0
    assert total_rows(saved_state(path)) == 8 * 96 + 6


def test_killed_server_restarts_from_its_saved_state(path: Path) -> None:
    """No lock is left behind, no mode is forgotten, and nothing that the status showed is lost."""
    with serving(path) as server:
        harm(server)
        shown, events = model(server), server.client.get("/v1/events?after=0").json()
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    with serving(path) as server:
        assert model(server)["scopes"] == {"model": "normal", MINORITY: "safe", MAJORITY: "normal", OTHER: "normal"}
        assert model(server)["epoch"] == shown["epoch"]
        assert model(server)["judged"] == shown["judged"]
        assert server.client.get("/v1/events?after=0").json() == events
        harm(server, 9)
        assert server.stop() == 0
    assert total_rows(saved_state(path)) == (8 + 9) * 96


def test_ready_line_as_json_has_the_address(path: Path) -> None:
    """The process prints one JSON object, whose address answers at once, and logs its start and its end, no more."""
    with subprocess.Popen(
        command("run", path, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        ready = json.loads(line)
        assert set(ready) == {"address", "models", "memory_bound"}
        assert ready["models"] == ["m"]
        assert ready["memory_bound"] == memory_bound(ServerSection())
        assert httpx.get(ready["address"] + "/v2/health/ready").json() == {"ready": True}
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stdout.read() == ""
        lines = [json.loads(line) for line in process.stderr]
    assert [(line["level"], line["event"]) for line in lines] == [
        ("info", "fresh-state"),
        ("info", "ready"),
        ("info", "stopped"),
    ]


def test_ready_lines_have_the_addresses(path: Path) -> None:
    """Host and port of the command line override the file's."""
    arguments = command("run", path, "--host", "127.0.0.2", "--port", "0")
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()) as process:
        assert process.stdout is not None
        ready, address = process.stdout.readline().split()
        assert ready == "ready"
        assert address.startswith("http://127.0.0.2:")
        watch, *places = process.stdout.readline().replace(",", "").split()
        assert watch == "watch"
        assert [httpx.get(place).status_code for place in places] == [200, 200, 200]
        memory = process.stdout.readline()
        assert re.fullmatch(r" +memory \d+ MiB at start, and at most \d+ MiB for callers: .*\n", memory)
        answer = httpx.post(address, json=request(traffic(1, harm=False), "mine")).json()
        assert (answer["id"], answer["parameters"]["served_by"]) == ("mine", "compressed")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_port_in_use_is_one_line(neighbour: tuple[Server, Path], path: Path) -> None:
    """The error names the address; the exit code is 1, and there is no traceback."""
    port = httpx.URL(neighbour[0].address).port
    ended = tightrope("run", path, "--port", str(port))
    assert ended.returncode == 1
    assert ended.stderr.startswith("error server: cannot listen: Address already in use")
    assert f"('127.0.0.1', {port})" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""


def test_second_process_on_one_state_is_one_line(neighbour: tuple[Server, Path]) -> None:
    """Two judges would count twice: the second process is refused, and the first continues."""
    ended = tightrope("run", neighbour[1], "--port", "0")
    assert ended.returncode == 1
    assert "another Tightrope is running on this state" in ended.stderr
    assert ended.stderr.startswith("error ")
    assert ended.stderr.count("\n") == 1
    assert neighbour[0].client.get("/v2/health/live").json() == {"live": True}


def test_mistakes_prevent_the_start(path: Path) -> None:
    """The errors are those of `check`; nothing listens, and no file is left."""
    settings = config(path.parent, compressed="missing.onnx") | {"servers": {}, "state": "elsewhere"}
    wrong = write_config(path.parent, settings)
    ended = tightrope("run", wrong)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [f"error {wrong}: servers: there is no such key; did you mean 'server'?"]
    settings.pop("servers")
    ended = tightrope("run", write_config(path.parent, settings))
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error models.m.compressed: ")
    assert ended.returncode == 1
    assert not (path.parent / "elsewhere").exists()
