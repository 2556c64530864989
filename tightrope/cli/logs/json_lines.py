"""Log lines for machines: each is one JSON object."""

import json
import logging
import traceback
from datetime import UTC, datetime

MAX_STACK_CHARACTERS = 8_000
"""The end of a stack is kept: there the failure is."""


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object in ASCII: ``at``, ``level``, ``logger`` and ``text``, then the ``fields``
    that its caller gave, such as ``event``, ``model`` and ``scope``; a failure has ``error``, ``stack``, ``repeated``.

    >>> line = JsonLines().format(logging.LogRecord("a", logging.INFO, "a.py", 1, "up", (), None))
    >>> json.loads(line)["text"]
    'up'
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname.lower(), "logger": record.name, "text": record.getMessage()}
        return json.dumps(line | getattr(record, "fields", {}) | _failure(record), default=str)


def _failure(record: logging.LogRecord) -> dict[str, object]:
    """The error and the stack of a record that has them."""
    kind, error, trace = record.exc_info or (None, None, None)
    if kind is None:
        return {}
    stack = "".join(traceback.format_exception(kind, error, trace))[-MAX_STACK_CHARACTERS:]
    text = traceback.format_exception_only(kind, error)[-1].strip()
    return {"error": text, "stack": stack, "repeated": getattr(record, "repeated", 0)}
