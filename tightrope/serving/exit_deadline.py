"""The hard end of a process, a time after the first signal to stop.

The event loop, a run, a thread that an executor waits for, a caller that does not read: each can hold up the usual end.
So a thread of its own waits for the signal, which the interpreter writes to a descriptor at once, also while the event
loop hangs. It counts the seconds, and passes the signal on to the event loop.
"""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import PurePath
from types import FrameType
from typing import Self

log = logging.getLogger(__name__)

EXIT_CODE = 1
"""The exit code of a process that is ended here."""

TELL_SECONDS = 1.0
"""Time for the last line of the log, which can hang as well."""


class ExitDeadline:
    """Calls ``end`` with an exit code ``seconds`` after the first of these signals. It is entered in the main thread,
    while an event loop handles the signals, and left before that loop ends; a deadline that has begun stays.
    """

    def __init__(self, seconds: float, signals: Sequence[int], end: Callable[[int], object] = os._exit) -> None:
        self._seconds = seconds
        self._signals = frozenset(signals)
        self._end = end
        self._timer = threading.Timer(seconds, self._end_by_force)
        self._timer.name, self._timer.daemon = "exit-deadline", True

    def __enter__(self) -> Self:
        """Wait for the signals."""
        reader, self._writer = socket.socketpair()
        self._writer.settimeout(0)
        self._loop_end = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._wait, args=(reader,), name="exit-signals", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait no more."""
        signal.set_wakeup_fd(self._loop_end, warn_on_full_buffer=False)
        self._writer.close()
        self._thread.join()

    def _wait(self, reader: socket.socket) -> None:
        with reader:
            while numbers := reader.recv(4096):
                if self._timer.ident is None and not self._signals.isdisjoint(numbers):
                    self._timer.start()
                with suppress(OSError):
                    os.write(self._loop_end, numbers)

    def _end_by_force(self) -> None:
        line = "ended by force %g s after the signal to stop (server.drain_seconds); still running: %s"
        telling = threading.Thread(target=log.error, args=(line, self._seconds, _running()), daemon=True)
        telling.start()
        telling.join(TELL_SECONDS)
        self._end(EXIT_CODE)


def _running() -> str:
    """Every thread that the interpreter waits for, and where it is."""
    frames = sys._current_frames()  # noqa: SLF001 - documented, and the only way to see other threads
    parts = []
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if not thread.daemon and frame is not None:
            parts.append(f"{thread.name} in {_location(frame)}")
    return ", ".join(parts) or "no thread of its own"


def _location(frame: FrameType) -> str:
    """A frame, and its caller; of one that waits for another thread or a lock, those that made it wait."""
    while frame.f_code.co_filename == threading.__file__ and frame.f_back:
        frame = frame.f_back
    frames = [frame, frame.f_back] if frame.f_back else [frame]
    locations = [f"{each.f_code.co_name} ({PurePath(each.f_code.co_filename).name}:{each.f_lineno})" for each in frames]
    return ", called by ".join(locations)
