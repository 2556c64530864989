"""`tightrope erase` tells what is deleted, what is left, and until when Kafka has it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config

Run = Callable[..., int]


def test_erasure_is_told(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In lines, with each topic, and in JSON; a file that still has the id is exit code 1."""
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
    assert (document["ok"], len(document["left"]), len(document["topics"])) == (False, 1, 7)
    assert run("erase", path, "--id", "person-1") == 1
    assert "still has the id, and cannot be rewritten; delete it" in " ".join(capsys.readouterr().err.split())
