"""Publishes the incidents of a judge, so that any gateway of the cluster has them: their files in pieces.

How it works. A thread compares the incidents in the state folder with the list of what was sent, and sends what is new
or changed: of an open incident its moves, of a closed one its file. When the judge ends, the file of an open one is
sent as it is: another judge takes over, with a record of its own, and this disk may go. What the budget of the record
deleted is deleted from the topic, too, and an erased file before its successor is sent. It has a producer of its own: a
broker that is away holds back nothing but this thread, which tries again.
"""

import logging
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from tightrope.service.adapters.incident_copies.pieces import (
    CopyName,
    copy_name,
    encode_piece,
    file_digest,
    keys_of,
    split_file,
)
from tightrope.service.adapters.journal.incident import INCIDENTS_FOLDER, Incident, IncidentError
from tightrope.service.adapters.journal.segments import covers, segment_paths
from tightrope.service.adapters.kafka.admin import MISSING_TOPIC, TopicDescription
from tightrope.service.adapters.ports import (
    Bus,
    BusFullError,
    BusUnavailableError,
    RecordTooLargeError,
    UndeliveredError,
)
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import INCIDENTS, topic
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.api.incidents.library import IncidentLibrary
from tightrope.service.errors import UnavailableError
from tightrope.service.routing.periodic_check import PeriodicCheck
from tightrope.wiring.recording.sent_incidents import SentIncidents

log = logging.getLogger(__name__)

PUBLISH_CHECK_SECONDS = 2.0
"""Seconds between two looks at the incidents."""

PIECE_SECONDS = 5.0
"""Seconds to wait for the acknowledgement of a piece; after that all of a file is sent again at a later look."""

MOST_PUBLISHED_BYTES = 64 << 20
"""Bytes of an incident's segments up to which its file is made here, beside the judge, and sent."""

SENT_FILE = "sent.json"

CLOSE_SECONDS = 1.0
"""Seconds that the bus has to close."""

UNCHANGED_SECONDS = 5.0
"""Seconds for which the record of a closed incident is unchanged when its file is made: its last segment may go on."""

PUBLISH_RETRY_SECONDS = 30.0
"""Seconds before the next attempt after a failure: to make a file takes processor time that the judge needs."""

BUS_ERRORS = (TimeoutError, BusFullError, BusUnavailableError, UndeliveredError)
EXPORT_ERRORS = (OSError, IncidentError, WireError, UnavailableError, RecordTooLargeError)

IncidentKey = tuple[str, str]
"""The model and the id of an incident."""


class IncidentPublisher:
    """Publishes the incidents of a ``library``, whose record is in ``folder``, over a bus of its own. ``signer`` stands
    for the secret that signs: with another one all is sent again. ``close`` closes the bus within seconds; ``clock`` is
    monotonic.
    """

    def __init__(
        self,
        folder: Path,
        library: IncidentLibrary,
        bus: Bus,
        metrics: Metrics,
        signer: str = "",
        close: Callable[[float], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._library, self._bus, self._metrics = folder, library, bus, metrics
        self._signer, self._close, self._clock = signer, close, clock
        self._sent: SentIncidents | None = None
        self._topic_id = ""
        self._retry_at: dict[IncidentKey, float] = {}
        self._seen: dict[IncidentKey, tuple[str, float]] = {}
        self._resume_at, self._patience = float("-inf"), PIECE_SECONDS
        self._check = PeriodicCheck("incident-publisher", PUBLISH_CHECK_SECONDS, self.check)

    def start(self) -> None:
        """Start to publish."""
        self._check.start()

    def stop(self, timeout: float) -> None:
        """Stop, once the record has ended: its files are sent as they are, those that cannot be now after the next
        start.
        """
        self._check.stop(timeout)
        if not self._check.alive:
            self._patience = min(timeout, PIECE_SECONDS)
            try:
                self.check(is_last=True)
            except Exception:  # a process that ends must end
                log.exception("the record of open incidents was not published at the end")
        self._close(min(timeout, CLOSE_SECONDS))  # all that is not acknowledged is sent again

    def notice(self, described: Mapping[str, TopicDescription]) -> None:
        """Take note of the topic as it is now: nothing is published before it exists, and all once it is made anew."""
        self._topic_id = described.get(topic(INCIDENTS), MISSING_TOPIC).id

    def check(self, *, is_last: bool = False) -> None:
        """Publish what is new or changed, and delete what is gone, until the bus takes nothing more. The last time
        nothing is written any more, and open incidents have their files, too.
        """
        if not self._topic_id or self._clock() < self._resume_at:
            return
        sent = self._sent = self._sent or SentIncidents(self._folder / SENT_FILE)
        self._begin_topic(sent)
        present = {(each.model, each.id): each for each in self._library.incidents()}
        files = {key: self._files(incident) for key, incident in present.items()}
        gone = [key for key in sent.known if key not in present]
        changed = [key for key in present if sent.files(key) != files[key]]
        self._metrics.record.incidents_unpublished.set(len(gone) + len(changed))
        if is_last:
            changed += [key for key in present if present[key].closed is None and key not in changed]
        try:
            for key in gone:
                self._withdraw(sent, key)
            for key in changed:
                if is_last or self._is_settled(present[key], files[key]):
                    self._try_to_publish(sent, present[key], files[key], with_file=is_last)
        except (*BUS_ERRORS, OSError) as error:
            self._resume_at = self._clock() + PUBLISH_RETRY_SECONDS
            log.warning("incidents are not published now, and sent later: %s", str(error) or type(error).__name__)

    def _is_settled(self, incident: Incident, files: str) -> bool:
        """Whether the record of an incident is as it will stay, or the incident is open, so that only its moves count.
        A segment that is not the newest one is never written again.
        """
        if incident.closed is None or self._has_ended(incident):
            return True
        key, now = (incident.model, incident.id), self._clock()
        known, since = self._seen.get(key, ("", now))
        self._seen[key] = files, since if known == files else now
        return known == files and now - since >= UNCHANGED_SECONDS

    def _has_ended(self, incident: Incident) -> bool:
        newest = max((int(path.stem) for path in segment_paths(self._folder / incident.model)), default=0)
        return incident.last is not None and newest > incident.last

    def _begin_topic(self, sent: SentIncidents) -> None:
        """Send all anew on another topic, or with another signature."""
        own = f"{self._topic_id}/{self._signer}"
        if sent.log != own:
            sent.begin(own)

    def _try_to_publish(self, sent: SentIncidents, incident: Incident, files: str, *, with_file: bool) -> None:
        """Publish an incident, or tell why its file cannot be made now, and go on with the others."""
        key = incident.model, incident.id
        if self._clock() < self._retry_at.get(key, 0.0):
            return
        try:
            content = self._content(incident) if with_file or incident.closed is not None else b""
            self._publish(sent, incident, content)
            sent.of(key).files = files
            sent.save()
        except BUS_ERRORS:  # a TimeoutError is an OSError, too
            raise
        except EXPORT_ERRORS as error:
            self._retry_at[key] = self._clock() + PUBLISH_RETRY_SECONDS
            log.warning("incident %s cannot be published to the gateways now: %s", incident.id, error)

    def _publish(self, sent: SentIncidents, incident: Incident, content: bytes) -> None:
        digest = file_digest(incident, content)
        own, entry = copy_name(incident, digest), sent.of((incident.model, incident.id))
        if any(entry.copies[old] for old in entry.copies if old != own.digest):
            self._delete(sent, incident.model, incident.id, own.digest)  # an erasure does not wait for its successor
        pieces = list(split_file(incident, content, digest))
        entry.copies[own.digest] = len(pieces) if content else 0
        sent.save()
        for piece_key, piece in pieces:
            self._send(str(piece_key), encode_piece(piece_key, piece))
        self._delete(sent, incident.model, incident.id, own.digest)
        if content:
            log.info("incident %s is published: %d pieces, %d bytes", incident.id, len(pieces), len(content))

    def _content(self, incident: Incident) -> bytes:
        """The file of an incident; none if its record is too large."""
        size = sum(path.stat().st_size for path in self._segments(incident))
        if size > MOST_PUBLISHED_BYTES:
            log.warning(
                "incident %s: its record of %d bytes is too large to be published; its file is made on this machine by"
                " `tightrope incident CONFIG %s --export FILE`",
                incident.id, size, incident.id,
            )  # fmt: skip
            return b""
        return self._library.file(incident.id) or b""

    def _withdraw(self, sent: SentIncidents, key: IncidentKey) -> None:
        """Delete all of an incident that is not in the record any more."""
        self._delete(sent, *key)
        sent.known.pop(key)
        sent.save()

    def _delete(self, sent: SentIncidents, model: str, name: str, kept: str = "") -> None:
        """Delete all versions of a file but one; the last piece goes first, so that none is taken for whole."""
        copies = sent.of((model, name)).copies
        for digest in [each for each in copies if each != kept]:
            for key in reversed(keys_of(CopyName(model, name, digest), copies[digest])):
                self._send(str(key), b"")
            copies.pop(digest)

    def _send(self, key: str, value: bytes) -> None:
        self._bus.publish(topic(INCIDENTS), value, key)
        self._bus.flush(self._patience)

    def _segments(self, incident: Incident) -> list[Path]:
        paths = segment_paths(self._folder / incident.model)
        return [path for path in paths if covers(incident, int(path.stem))]

    def _files(self, incident: Incident) -> str:
        """The state of the files of an incident: of its moves, and of its record once it is closed."""
        folder = self._folder / incident.model
        paths = [folder / INCIDENTS_FOLDER / f"{incident.id}.json"]
        if incident.closed is not None:
            paths += self._segments(incident)
        return sha256("".join(map(_state_of_file, paths)).encode()).hexdigest()


def _state_of_file(path: Path) -> str:
    """A line that differs once a file is replaced or written; empty if it is gone."""
    try:
        stat = path.stat()
    except OSError:
        return ""
    return f"{path.name} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns}\n"
