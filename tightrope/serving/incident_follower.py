"""A gateway's copy of the incidents that the judges of a cluster publish: it follows their topic."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from tightrope.service.adapters.dead_letters import describe_error
from tightrope.service.adapters.incident_copies.copies import CopyFaultError, IncidentCopies
from tightrope.service.adapters.incident_copies.pieces import decode_key, decode_piece
from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.adapters.ports import Bus, BusUnavailableError, Record
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import INCIDENTS, topic

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5

POLLED_RECORDS = 8
"""Records of one poll: each has up to half a megabyte."""

MOST_LOGGED = 1_000
"""Lines that are remembered, so that each is logged once."""


class IncidentFollower:
    """Implements `api.incidents.library.IncidentLibrary`: incidents go ``keep_seconds`` after they closed; ``now`` is
    the wall clock (s since the epoch). They are known once all of the topic was read.
    """

    def __init__(
        self,
        bus: Bus,
        copies: IncidentCopies,
        metrics: Metrics,
        keep_seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._bus, self._copies, self._metrics = bus, copies, metrics
        self._keep_seconds, self._now = keep_seconds, now
        self._topic = topic(INCIDENTS)
        self._generation = bus.generation(self._topic)
        self._records = bus.subscribe(self._topic)
        self._logged: set[str] = set()
        self.is_known = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="incidents", daemon=True)

    def start(self) -> None:
        """Start to follow."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop following."""
        self._stopping.set()
        self._thread.join(timeout)

    def incidents(self) -> Sequence[Incident]:
        """The incidents of all models, oldest first."""
        return self._copies.incidents()

    def file(self, name: str) -> bytes | None:
        """The zip file of an incident, equal in bytes to the judge's; see `IncidentCopies.file`."""
        try:
            return self._copies.file(name)
        except CopyFaultError as error:
            self._report(error)
            raise

    def step(self, timeout: float) -> None:
        """Take the records that arrive within ``timeout`` seconds. A record that cannot be used is skipped."""
        if self._bus.generation(self._topic) != self._generation:  # made anew: read from its start
            self._generation = self._bus.generation(self._topic)
            self._records.close()
            self._copies.clear()
            self._records = self._bus.subscribe(self._topic)
            self.is_known = False
        for record in self._records.poll(POLLED_RECORDS, timeout):
            try:
                self._apply(record)
            except CopyFaultError as error:
                self._report(error)
            except Exception as error:  # noqa: BLE001 - the next record must be read, after any error
                self._metrics.record_dead(record.topic)
                log.warning("%s, offset %d skipped: %s", record.topic, record.offset, describe_error(error))
        self._copies.drop_before(self._now() - self._keep_seconds)
        self.is_known = self.is_known or self._is_at_the_end()

    def _is_at_the_end(self) -> bool:
        """Whether the topic is there, and all of it was read."""
        try:
            self._bus.ends([self._topic])
            return not self._records.lag()
        except BusUnavailableError:
            return False

    def _apply(self, record: Record) -> None:
        key = decode_key(record.key)
        if record.value:
            self._copies.put(key, decode_piece(key, record.value))
        else:
            self._copies.remove(key)

    def _report(self, error: CopyFaultError) -> None:
        """Count a file that is not whole, and log it once."""
        self._metrics.record.incident_faults.labels(error.reason).inc()
        if str(error) not in self._logged:
            if len(self._logged) >= MOST_LOGGED:
                self._logged.clear()
            self._logged.add(str(error))
            log.error("%s", error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.step(POLL_SECONDS)
            except Exception:  # the follower must outlive every error
                log.exception("the published incidents cannot be read; trying again")
                self._stopping.wait(POLL_SECONDS)
        self._records.close()
        self._copies.clear()
