"""A limit on log lines: callers cause some of them, and must fill no disk and spend no processor by it."""

import logging
import math
import time
from collections.abc import Callable

LINES_PER_SECOND = 20
"""Lines in a second from one place in the code."""

FAILURE_SECONDS = 60.0
"""Time in which one failure of a kind from one place is written."""


class LogLimit(logging.Filter):
    """Lets `LINES_PER_SECOND` lines of each place in the code through, the first of them with its traceback. A line
    says that others are left out, and a later one how many. ``clock`` is monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, int], tuple[int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        source, second = (record.pathname, record.lineno), int(self._clock())
        began, lines = self._seen.get(source, (second, 0))
        if began != second:
            if lines > LINES_PER_SECOND:
                _append(record, f"{lines - LINES_PER_SECOND} lines like this one were left out")
            began, lines = second, 0
        self._seen[source] = began, lines + 1
        if lines:
            record.exc_info = record.exc_text = record.stack_info = None
        if lines == LINES_PER_SECOND - 1:
            _append(record, "more lines like this one are left out in this second")
        return lines < LINES_PER_SECOND


def _append(record: logging.LogRecord, text: str) -> None:
    record.msg, record.args = f"{record.getMessage()}; {text}", None


class FailureLimit(logging.Filter):
    """Lets one failure of a kind from each place in the code through in `FAILURE_SECONDS`; the next one has the number
    of those that were left out as ``repeated``. Lines without an error pass. ``clock`` is monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        kind = record.exc_info[0] if record.exc_info else None
        if kind is None:
            return True
        source, now = (record.pathname, record.lineno, kind.__name__), self._clock()
        written, repeated = self._seen.get(source, (-math.inf, 0))
        if now - written < FAILURE_SECONDS:
            self._seen[source] = written, repeated + 1
            return False
        self._seen[source] = now, 0
        record.repeated = repeated
        return True
