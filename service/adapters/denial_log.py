"""The log of a thread about the permissions that it lacks: one line, whose text says what to do, once a minute."""

import logging
import time
from collections.abc import Callable

from tightrope.service.adapters.ports import NotPermittedError

log = logging.getLogger(__name__)

DENIAL_LOG_SECONDS = 60.0
"""Seconds between two log lines about the same missing permission."""


class DenialLog:
    """Logs each missing permission. ``name`` is the thread's, ``clock`` is monotonic."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._told: dict[str, float] = {}

    def write(self, error: NotPermittedError) -> None:
        """Log the error, unless it was logged within the last minute."""
        text, now = str(error), self._clock()
        if now - self._told.get(text, float("-inf")) > DENIAL_LOG_SECONDS:
            self._told = {text: now}
            log.error("%s: %s", self._name, text)
