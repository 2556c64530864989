"""The topics that a producer may not write: told, and not tried again for a while.

Each attempt to write a refused topic ends the client, and with it the records of other topics that are under way.
"""

import logging
import time
from collections.abc import Callable

from kafka.errors import AuthorizationError

from tightrope.service.adapters.kafka.client import ERROR_LOG_SECONDS
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import TOPIC, WRITE, denial, denied_topic
from tightrope.service.adapters.ports import NotPermittedError, UndeliveredError

log = logging.getLogger(__name__)

NOT_PERMITTED = "not_permitted"
"""The reason for the loss of a record that this process may not write."""

DENIED_SECONDS = 15.0
"""Seconds before the next attempt to write to a topic that this process may not write."""


class WriteDenials:
    """The refused topics of one producer. ``clock`` is monotonic."""

    def __init__(self, options: KafkaOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._clock = clock
        self._until: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._texts: dict[str, str] = {}

    def holds(self, topic: str) -> bool:
        """Whether the topic was refused just now."""
        until = self._until.get(topic)
        return until is not None and self._clock() < until

    def note(self, topic: str, error: AuthorizationError) -> str:
        """Note that the brokers refused a record of a topic; returns the reason for its loss. A record that was lost
        because of another topic does not refuse its own.
        """
        if denied_topic(self._options, error, topic) != topic:
            return type(error).__name__
        now = self._clock()
        if not self.holds(topic):
            self._texts[topic] = str(denial(self._options, TOPIC, [self._options.prefix + topic], WRITE))
            self._until[topic] = now + DENIED_SECONDS
            if now - self._told.get(topic, float("-inf")) > ERROR_LOG_SECONDS:
                self._told[topic] = now
                log.error("%s", self._texts[topic])
        return NOT_PERMITTED

    def error(self, topic: str, reason: str) -> NotPermittedError | UndeliveredError:
        """The error for callers that wait for the delivery of a lost record."""
        if reason == NOT_PERMITTED and topic in self._texts:
            return NotPermittedError(self._texts[topic])
        return UndeliveredError(f"{topic}: a record could not be delivered: {reason}")
