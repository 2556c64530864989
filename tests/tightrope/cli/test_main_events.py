import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console

from tests.support.commands import command, environment
from tests.support.harmful_pair import config
from tests.support.servers import ROOT, write_config
from tightrope.cli import console
from tightrope.cli import main as cli
from tightrope.monitors.records import Event
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.wiring.embedded import DATABASE

Run = Callable[..., int]
MARKUP = "see [/wiki] and [red]this[/red] :warning:"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in this process, on a wide terminal; returns the exit code."""
    monkeypatch.setattr(console, "out", Console(width=200))

    def it(*arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", ["tightrope", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    return it


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration whose state has no events yet."""
    (tmp_path / "state").mkdir()
    with store(path := write_config(tmp_path, config(tmp_path))):
        return path


@contextmanager
def store(path: Path) -> Iterator[SqliteStore]:
    """The state that a configuration names."""
    opened = SqliteStore(path.parent / "state" / DATABASE)
    yield opened
    opened.close()


def event(number: int, model: str = "m", reason: str = "") -> Event:
    """The n-th event: a breach, an hour after the one before."""
    after = {"state": "safe"} if number % 2 else None
    detail = {} if after is None else {"after": after}
    at = 1_700_000_000.0 + 3600 * number
    return Event(f"e{number}", at, model, "breach", "group=a", "judge", reason or f"reason {number}", detail)


def keep(path: Path, *events: Event) -> None:
    """Put events into the audit trail."""
    with store(path) as opened:
        opened.save("log", {}, {}, events)


def test_audit_trail_is_a_table(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One row an event, oldest first: when, of what, what, where it led, by whom, why."""
    keep(path, event(1), event(2))
    assert run("events", path) == 0
    rows = [line.strip("│ ").split("│") for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["1", "2023-11-14 23:13:20", "m", "group=a", "breach", "safe", "judge", "reason 1"],
        ["2", "2023-11-15 00:13:20", "m", "group=a", "breach", "", "judge", "reason 2"],
    ]


def test_audit_trail_as_json_lines(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, whole, with its sequence number."""
    keep(path, event(1), event(2))
    assert run("events", path, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"seq": number, **asdict(event(number))} for number in (1, 2)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--model", "n"], [2, 4, 6]),
        (["--after", "4"], [5, 6]),
        (["--limit", "2"], [1, 2]),
        (["--model", "m", "--after", "1", "--limit", "1"], [3]),
        (["--model", "nobody"], []),
    ],
)
def test_audit_trail_can_be_narrowed(
    run: Run, path: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: list[int]
) -> None:
    """By model, by place, by number."""
    keep(path, *(event(number, "mn"[number % 2 == 0]) for number in range(1, 7)))
    assert run("events", path, "--json", *options) == 0
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == expected


def test_reason_is_shown_as_it_was_given(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An operator's free text may hold brackets and colons: it is neither markup nor a crash."""
    keep(path, event(1, reason=MARKUP))
    assert run("events", path) == 0
    assert MARKUP in capsys.readouterr().out


def test_missing_state_is_named(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says which file, and what makes it; it is not made by asking."""
    path = write_config(tmp_path, config(tmp_path))
    assert run("events", path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error state: {tmp_path / 'state' / DATABASE} does not exist yet")
    assert not (tmp_path / "state").exists()


def test_state_that_is_no_state_is_named(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of something else is not overwritten, and not a traceback."""
    database = path.parent / "state" / DATABASE
    database.write_bytes(b"something else " * 100)
    assert run("events", path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error {database}: cannot be used as the state file")
    assert database.read_bytes().startswith(b"something else")


@contextmanager
def following(path: Path, *options: str) -> Iterator[Iterator[str]]:
    """The lines of `tightrope events --follow`, as they come; it is ended by Ctrl-C."""
    arguments = command("events", path, "--follow", *options)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()) as process:
        guard = threading.Timer(60, process.kill)
        guard.start()
        assert process.stdout is not None
        try:
            yield iter(process.stdout.readline, "")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
            guard.cancel()


def test_later_event_is_printed_as_it_happens(path: Path) -> None:
    """Followed as JSON lines: what was there, then what comes, each once."""
    keep(path, event(1))
    with following(path, "--json") as lines:
        assert json.loads(next(lines))["id"] == "e1"
        keep(path, event(2), event(3))
        assert [json.loads(next(lines))["id"] for _ in range(2)] == ["e2", "e3"]
        keep(path, event(4))
        assert json.loads(next(lines))["id"] == "e4"


def test_later_event_is_one_line_for_people(path: Path) -> None:
    """However narrow the pipe and whatever the reason holds; of another model nothing is said."""
    with following(path, "--model", "m") as lines:
        while "└" not in next(lines):
            pass
        keep(path, event(1, "n"), event(2), event(3, reason=f"{MARKUP} {'a long story ' * 20}end"))
        assert next(lines).split("  ") == [
            *("2", "2023-11-15 00:13:20", "m", "group=a", "breach", "", "judge", "reason 2\n"),
        ]
        line = next(lines)
        assert MARKUP in line
        assert line.endswith("end\n")
