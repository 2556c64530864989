"""`tightrope audit` says whether the trail is as it was written, and where it is not."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.monitors.records import Event
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.wiring.embedded import DATABASE

Run = Callable[..., int]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration whose trail has three events."""
    store = SqliteStore(tmp_path / "state" / DATABASE, exclusive=True)
    events = [Event(f"e{n}", float(n), "m", "note", "model", "judge", "", {"request_id": f"r-{n}"}) for n in (1, 2, 3)]
    store.save("l", {}, {}, events)
    store.close()
    return write_config(tmp_path, config(tmp_path))


def test_sound_trail_is_ok(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a line, and in JSON."""
    assert run("audit", "verify", path) == 0
    assert f"ok {path}: 3 events, head 3 " in " ".join(capsys.readouterr().out.split())
    assert run("audit", "verify", path, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["events"], document["head"]["number"], document["problems"]) == (True, 3, 3, [])


def test_altered_event_is_a_line_and_exit_code_1(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its number."""
    with closing(sqlite3.connect(path.parent / "state" / DATABASE, isolation_level=None)) as db:
        db.execute("UPDATE events SET body = replace(body, 'judge', 'judgf') WHERE seq = 2")
    assert run("audit", "verify", path) == 1
    assert "changed event 2: is not as it was written: a byte was altered" in capsys.readouterr().err
    assert run("audit", "verify", path, "--json") == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert problems == [{"event": 2, "problem": "is not as it was written: a byte was altered"}]


def test_head_can_be_taken_out(run: Run, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is one line, which `verify` reads again."""
    assert run("audit", "head", path) == 0
    head = tmp_path / "head.json"
    head.write_text(capsys.readouterr().out)
    assert json.loads(head.read_text())["last"] == 3
    assert run("audit", "verify", path, "--head", head) == 0


def test_digest_of_an_id_is_that_of_the_events(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A person who knows an id finds its events."""
    assert run("audit", "digest", path, "--id", "r-2") == 0
    digest = capsys.readouterr().out.strip()
    assert run("events", path, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["seq"] for line in lines if line["detail"]["request_digest"] == digest] == [2]
