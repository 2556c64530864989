"""A real `tightrope run` whose judge cannot judge: the gateway notices, the baseline answers, and says why."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import HARM, UNWRITTEN, config, request, traffic
from tests.support.servers import Server, serving
from tests.support.serving.service_harness import eventually
from tightrope.wiring.embedded import DATABASE

BLIND_SECONDS = 2.0
MARGIN_SECONDS = 1.5
"""Time that a check, a heartbeat and a busy machine may add."""

BROKEN = "CREATE TRIGGER broken_{0} BEFORE INSERT ON {0} BEGIN SELECT RAISE(ABORT, 'broken'); END"
WRITTEN = ("snapshots", "journal")
"""Tables of the state; each save of judged rows writes to one."""
HARMFUL = traffic(6, harm=True)[0]
"""A row that the compressed model fails."""


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold the state's database, as a shell does in which a person began a transaction."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=30.0)) as shell:
        shell.execute("BEGIN EXCLUSIVE")
        yield
        shell.execute("ROLLBACK")


@contextmanager
def failing(database: Path) -> Iterator[None]:
    """Make each save of the judge fail."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=30.0)) as shell:
        for table in WRITTEN:
            shell.execute(BROKEN.format(table))
        yield
        for table in WRITTEN:
            shell.execute(f"DROP TRIGGER broken_{table}")


def ask(client: httpx.Client) -> str:
    """Send a harmful row; returns the role that answered."""
    answer = client.post("/v2/models/m/infer", json=request(HARMFUL))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["parameters"]["served_by"])


def judged(client: httpx.Client) -> int:
    """Count the judged rows."""
    progress = client.get("/v1/models/m").json()["judged"]
    return int(progress["seen"] + progress["pending"])


def kinds(client: httpx.Client) -> list[str]:
    """List the kinds of the gateway's events."""
    events = client.get("/v1/events?after=0&limit=1000").json()["events"]
    return [event["kind"] for event in events if event["actor"] == "gateway"]


@contextmanager
def server(folder: Path, **changes: object) -> Iterator[Server]:
    """A running server that has judged healthy rows."""
    whole = config(folder, **changes)
    whole["safe_mode"]["blind_seconds"] = BLIND_SECONDS
    with serving(write_config(folder, whole)) as running:
        running.client.post("/v2/models/m/infer", json=request(traffic(60, harm=False)))
        eventually(lambda: judged(running.client) == 60)
        yield running


@pytest.mark.parametrize(
    ("changes", "trouble"), [({"mode": "armed"}, locked), ({"mode": "advisory"}, failing), (UNWRITTEN, failing)]
)
def test_harmful_student_answers_no_longer_than_blind_seconds(
    tmp_path: Path, changes: Mapping[str, object], trouble: Callable[[Path], AbstractContextManager[None]]
) -> None:
    """While rows are not judged the baseline answers, in advisory mode too; the reason stands in readiness, status,
    metrics and, once the judge works again, in the audit trail. Then the modes decide again.
    """
    assert HARMFUL[HARM] == 1
    with server(tmp_path, **changes) as running:
        client = running.client
        assert ask(client) == "compressed"
        with trouble(tmp_path / "state" / DATABASE):
            began = last = time.monotonic()
            while time.monotonic() < began + BLIND_SECONDS + 2 * MARGIN_SECONDS:
                if ask(client) == "compressed":
                    last = time.monotonic()
                time.sleep(0.02)
            assert last - began < BLIND_SECONDS + MARGIN_SECONDS
            assert_reasons_shown(client)
        eventually(lambda: client.get("/v1/models/m").json()["blind"] is None)
        assert eventually(lambda: kinds(client)[-2:] == ["blind-began", "blind-ended"])
        assert client.get("/v2/health/ready").json() == {"ready": True}


def assert_reasons_shown(client: httpx.Client) -> None:
    """Check what a blind gateway says where no judge is needed."""
    ready = client.get("/v2/health/ready")
    assert ready.status_code == 200
    assert ready.json()["models"]["m"].startswith("blind: no row judged for ")
    assert ready.json()["models"]["m"].endswith(", the baseline answers")
    (listed,) = client.get("/v1/models").json()["models"]
    assert listed["blind"].startswith("no row judged for ")
    page = client.get("/metrics").text
    assert 'tightrope_blind{model="m"} 1.0' in page
    assert "tightrope_judge_age_seconds{" in page
    assert "tightrope_judge_failures_total" in page
