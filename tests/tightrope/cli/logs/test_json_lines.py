"""A log line of a server is one JSON object."""

import json
import logging
import sys

from tightrope.cli.logs.json_lines import MAX_STACK_CHARACTERS, JsonLines


def line(text: str, error: Exception | None = None, **extra: object) -> dict[str, object]:
    """The object of a record."""
    details = None
    if error is not None:
        try:
            raise error
        except type(error):
            details = sys.exc_info()
    record = logging.LogRecord("a.logger", logging.WARNING, "module.py", 1, text, (), details)
    record.created = 1_796_000_000.25
    record.__dict__.update(extra)
    written = JsonLines().format(record)
    assert written.isascii()
    assert len(written.splitlines()) == 1
    found: dict[str, object] = json.loads(written)
    return found


def test_line_has_time_level_logger_and_text() -> None:
    """The time is UTC, with milliseconds."""
    assert line("it is so") == {
        "at": "2026-11-30T00:53:20.250+00:00",
        "level": "warning",
        "logger": "a.logger",
        "text": "it is so",
    }


def test_fields_of_the_caller_stand_beside_them() -> None:
    """They are what machines look for."""
    found = line("x", fields={"event": "took-over", "model": "m", "scope": "sex=f"})
    assert (found["event"], found["model"], found["scope"]) == ("took-over", "m", "sex=f")


def test_text_of_callers_breaks_no_line() -> None:
    """Line ends of every kind, and what is no character, stay inside the object."""
    text = "a\nb\r\x85\u2028 \ud800"
    assert line(text)["text"] == text


def test_failure_is_one_line_with_error_and_stack() -> None:
    """The stack's end is kept, where it is long."""
    found = line("it failed", ValueError("two\nlines"), repeated=3)
    assert found["error"] == "ValueError: two\nlines"
    assert found["repeated"] == 3
    assert "in line\n    raise error" in str(found["stack"])
    long = line("it failed", ValueError("x" * 2 * MAX_STACK_CHARACTERS))
    assert len(str(long["stack"])) == MAX_STACK_CHARACTERS
