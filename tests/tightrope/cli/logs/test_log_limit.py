"""Log lines that callers cause: a number a second from one place, and what is left out is told."""

import logging
import subprocess
import sys

import pytest

from tightrope.cli.logs import log_setup
from tightrope.cli.logs.log_limit import FAILURE_SECONDS, LINES_PER_SECOND, FailureLimit, LogLimit
from tightrope.service.config.process.logs import LogsSection


def record(text: str = "wrong: %s", line: int = 1, error: Exception | None = None) -> logging.LogRecord:
    """A record from a line of some module."""
    details = None if error is None else (type(error), error, None)
    return logging.LogRecord("a.logger", logging.ERROR, "module.py", line, text, ("x",), details)


class Clock:
    """A clock that a test moves."""

    now = 100.2

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_lines_of_one_place_are_limited_in_each_second() -> None:
    """The last line of a second says that others are left out, the first of a later one how many."""
    clock = Clock()
    limit = LogLimit(clock)
    records = [record() for _ in range(LINES_PER_SECOND + 5)]
    written = [each.getMessage() for each in records if limit.filter(each)]
    assert written == [
        *["wrong: x"] * (LINES_PER_SECOND - 1),
        "wrong: x; more lines like this one are left out in this second",
    ]
    clock.now = 107.0
    later = [record(), record()]
    assert all(map(limit.filter, later))
    assert later[0].getMessage() == "wrong: x; 5 lines like this one were left out"
    assert later[1].getMessage() == "wrong: x"


def test_other_places_are_not_affected() -> None:
    """A caller that floods one line hides no other."""
    limit = LogLimit(Clock())
    assert [limit.filter(record()) for _ in range(LINES_PER_SECOND + 1)][-1] is False
    assert limit.filter(record(line=2))


def test_only_the_first_line_of_a_second_has_its_traceback() -> None:
    """A traceback is as long as fifty lines."""
    clock = Clock()
    limit = LogLimit(clock)
    first, second, third = (record(error=ValueError("x")) for _ in range(3))
    assert all(map(limit.filter, (first, second)))
    clock.now += 1.0
    assert limit.filter(third)
    assert [each.exc_info is None for each in (first, second, third)] == [False, True, False]


def test_every_line_of_the_program_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal and elsewhere, from any logger: uvicorn's, asyncio's and gRPC's too."""
    for is_terminal in (True, False):
        root = logging.RootLogger(logging.WARNING)
        monkeypatch.setattr(logging, "root", root)
        monkeypatch.setattr(logging.Logger, "manager", logging.Manager(root))
        monkeypatch.setattr(sys.stderr, "isatty", lambda is_terminal=is_terminal: is_terminal, raising=False)
        for set_up in (log_setup.set_up_command, lambda: log_setup.set_up_server(LogsSection())):
            set_up()
            (handler,) = root.handlers
            assert type(handler.filters[-1]) is LogLimit


def test_failure_is_written_once_a_minute_with_the_number_of_repetitions() -> None:
    """Kinds and places are counted apart; lines without an error pass."""
    clock = Clock()
    limit = FailureLimit(clock)
    assert [limit.filter(record(error=ValueError(text))) for text in "abc"] == [True, False, False]
    assert limit.filter(record(error=KeyError("x")))
    assert limit.filter(record(line=2, error=ValueError("x")))
    assert limit.filter(record())
    clock.now += FAILURE_SECONDS + 1.0
    again = record(error=ValueError("d"))
    assert limit.filter(again)
    assert again.__dict__["repeated"] == 2


FLOOD = """
import logging
from starlette.applications import Starlette
from tightrope.cli.logs import log_setup
from tightrope.service.config.process.server import ServerSection
from tightrope.serving.server import HttpServer
log_setup.set_up_command()
HttpServer(ServerSection(port=0), Starlette())
for name in ("uvicorn.error", "asyncio", "tightrope.service.transport.responder"):
    for number in range(1000):
        logging.getLogger(name).error("Exception in ASGI application", exc_info=ValueError("x" * 100))
"""


def test_lines_of_libraries_are_limited_in_a_server() -> None:
    """uvicorn has no handler of its own, which would write all of them."""
    ended = subprocess.run(
        [sys.executable, "-P", "-c", FLOOD], capture_output=True, text=True, timeout=60.0, check=True
    )
    lines = [line for line in ended.stderr.splitlines() if "Exception in ASGI application" in line]
    assert LINES_PER_SECOND <= len(lines) < 200
    assert "more lines like this one are left out" in ended.stderr
