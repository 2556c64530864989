"""`tightrope erase` tells what is deleted, what is left, and until when Kafka has it."""

import getpass
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.offline.audit import erasure

Run = Callable[..., int]


def test_erasure_is_told(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In lines, with each topic, and in JSON; a file that still has the id is exit code 1."""
    monkeypatch.setattr(erasure, "record_erasure", lambda *_: "")
    bus = {"bus": {"kafka": {"servers": ["127.0.0.1:9"]}}}
    path = write_config(tmp_path, config(tmp_path) | bus)
    assert run("erase", path, "--id", "person-1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("kafka tightrope.samples: until 20")
    assert lines[-1] == "erased rows and labels under the id that are deleted: 0"
    (tmp_path / "state").mkdir(exist_ok=True)
    (tmp_path / "state" / "tightrope.db.unreadable-1").write_text("person-1")
    assert run("erase", path, "--id", "person-1", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], len(document["left"]), len(document["topics"])) == (False, 1, 8)
    assert run("erase", path, "--id", "person-1") == 1
    assert "still has the id, and cannot be rewritten; delete it" in " ".join(capsys.readouterr().err.split())


def test_trail_that_does_not_know_is_told(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With exit code 1: what is not in the trail is not done. The event has the name that is given."""
    actors: list[object] = []

    def record(*given: object) -> str:
        actors.append(given[4])
        return "no broker"

    monkeypatch.setattr(erasure, "record_erasure", record)
    path = write_config(tmp_path, config(tmp_path))
    assert run("erase", path, "--id", "person-1", "--actor", "Ann") == 1
    assert "the audit trail has no event of this: no broker; run it again" in " ".join(capsys.readouterr().err.split())
    assert run("erase", path, "--id", "person-1", "--json") == 1
    assert json.loads(capsys.readouterr().out)["untold"] == "no broker"
    assert actors == ["Ann", getpass.getuser()]
