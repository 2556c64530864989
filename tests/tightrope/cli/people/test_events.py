import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console

from tests.support.commands import command, environment
from tests.support.configs import ROOT, write_config
from tests.support.harmful_pair import config
from tightrope.cli import console
from tightrope.monitors.records import Event
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.wiring.embedded import DATABASE

Run = Callable[..., int]
MARKUP = "see [/wiki] and [red]this[/red] :warning:"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration whose state has no events yet."""
    (tmp_path / "state").mkdir()
    with store(path := write_config(tmp_path, config(tmp_path))):
        return path


@contextmanager
def store(path: Path) -> Iterator[SqliteStore]:
    """Open the state of a configuration."""
    opened = SqliteStore(path.parent / "state" / DATABASE)
    yield opened
    opened.close()


def event(number: int, model: str = "m", reason: str = "") -> Event:
    """Return the n-th event: a breach, an hour after the one before."""
    after = {"state": "safe"} if number % 2 else None
    detail = {} if after is None else {"after": after}
    time = 1_700_000_000.0 + 3600 * number
    return Event(f"e{number}", time, model, "breach", "group=a", "judge", reason or f"reason {number}", detail)


def add_events(path: Path, *events: Event) -> None:
    """Add events to the audit trail."""
    with store(path) as opened:
        opened.save("log", {}, {}, events)


def test_audit_trail_in_a_pipe_has_tabs_and_a_header(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each event is a line, oldest first, never cut: programs find a group by its name."""
    add_events(path, event(1), event(2, reason="long " * 100 + "end"))
    assert run("events", path) == 0
    header, first, second = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert header == ["seq", "time", "model", "scope", "kind", "state", "actor", "text"]
    assert first[:7] == ["1", "2023-11-14T23:13:20Z", "m", "group=a", "breach", "safe", "judge"]
    assert first[7] == "Further evidence about a (group): reason 1."
    assert second[7].endswith("long end.")


def test_audit_trail_on_a_terminal_is_sentences(
    run: Run, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its time, in eighty columns, without a word cut."""
    monkeypatch.setattr(console, "out", Console(width=80))
    monkeypatch.setattr("tightrope.cli.people.events.is_piped", lambda: False)
    add_events(path, event(1, reason="a long story about that group " * 5))
    assert run("events", path) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert " ".join(printed.split()).startswith("1 2023-11-14 23:13:20 ▲ m: Further evidence about a (group): a long")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--since", "2023-11-15T01:00"], [3, 4]),
        (["--until", "2023-11-15T01:00"], [1, 2]),
        (["--since", "1h"], []),
        (["--kind", "release"], []),
        (["--scope", "group=a", "--limit", "1"], [4]),
    ],
)
def test_events_are_found_by_time_kind_and_scope(
    run: Run, path: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: list[int]
) -> None:
    """An age counts from now."""
    add_events(path, *(event(number) for number in range(1, 5)))
    assert run("events", path, "--json", *options) == 0
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == expected


@pytest.mark.parametrize("options", [["--since", "soon"], ["--url", "http://127.0.0.1:9"]])
def test_mistake_in_the_call_is_a_usage_error(run: Run, path: Path, options: list[str]) -> None:
    """A text that is no time, and CONFIG beside an address."""
    assert run("events", path, *options) == 2


def test_unknown_model_is_an_error(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not configured, and the trail has no event of it; one that was configured once has its events."""
    add_events(path, event(1, "old"))
    assert run("events", path, "--json", "--model", "old") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert run("events", path, "--model", "mm") == 1
    assert "--model: 'mm' is none of m, and has no events" in capsys.readouterr().err


def test_events_of_a_cluster_are_looked_for_in_its_topic(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error does not name `tightrope run`, which a cluster has no use for."""
    path = write_config(tmp_path, config(tmp_path) | {"bus": {"kafka": {"servers": ["127.0.0.1:9"]}}})
    assert run("events", path) == 1
    error = " ".join(capsys.readouterr().err.split())
    assert "bus: is configured" in error
    assert "tightrope tail" in error


def test_audit_trail_as_json_lines(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each event is one JSON object on a line, with its sequence number."""
    add_events(path, event(1), event(2))
    assert run("events", path, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"seq": number, **asdict(event(number))} for number in (1, 2)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--model", "n"], [2, 4, 6]),
        (["--after", "4"], [5, 6]),
        (["--limit", "2"], [5, 6]),
        (["--after", "0", "--limit", "2"], [1, 2]),
        (["--model", "m", "--after", "1", "--limit", "1"], [3]),
    ],
)
def test_audit_trail_can_be_narrowed(
    run: Run, path: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: list[int]
) -> None:
    """By model, by sequence number, by count: of the newest, unless they are those after a number."""
    add_events(path, *(event(number, "mn"[number % 2 == 0]) for number in range(1, 7)))
    assert run("events", path, "--json", *options) == 0
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == expected


def test_reason_is_printed_verbatim(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets and colons in an operator's reason are neither markup nor a crash."""
    add_events(path, event(1, reason=MARKUP))
    assert run("events", path) == 0
    assert MARKUP in capsys.readouterr().out


def test_missing_state_is_named(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the file and the command that creates it; the query does not create it."""
    path = write_config(tmp_path, config(tmp_path))
    assert run("events", path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error state: {tmp_path / 'state' / DATABASE} does not exist yet")
    assert not (tmp_path / "state").exists()


def test_invalid_state_file_is_named(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of another format is not overwritten, and there is no traceback."""
    database = path.parent / "state" / DATABASE
    database.write_bytes(b"something else " * 100)
    assert run("events", path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error {database}: cannot be used as the state file")
    assert database.read_bytes().startswith(b"something else")


@contextmanager
def following(path: Path, *options: str) -> Iterator[Iterator[str]]:
    """Yield the lines of `tightrope events --follow` as they come; it ends by SIGINT."""
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
    """JSON lines of the existing events, then of the new ones, each once."""
    add_events(path, event(1))
    with following(path, "--json") as lines:
        assert json.loads(next(lines))["id"] == "e1"
        add_events(path, event(2), event(3))
        assert [json.loads(next(lines))["id"] for _ in range(2)] == ["e2", "e3"]
        add_events(path, event(4))
        assert json.loads(next(lines))["id"] == "e4"


def test_later_event_is_one_line_for_people(path: Path) -> None:
    """Events are never wrapped or taken for markup; other models' events are left out."""
    with following(path, "--model", "m") as lines:
        assert next(lines).startswith("seq\t")
        add_events(path, event(1, "n"), event(2), event(3, reason=f"{MARKUP} {'a long story ' * 20}end"))
        assert next(lines).split("\t") == [
            *("2", "2023-11-15T00:13:20Z", "m", "group=a", "breach", "", "judge"),
            "Further evidence about a (group): reason 2.\n",
        ]
        line = next(lines)
        assert MARKUP in line
        assert line.endswith("end.\n")
