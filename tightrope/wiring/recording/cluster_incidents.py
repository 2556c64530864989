"""Builds what brings incidents of a cluster from the judges' state folders to the gateways."""

import hmac
from dataclasses import replace

from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.incident_copies.copies import IncidentCopies
from tightrope.service.adapters.incident_copies.piece_file import PieceFile
from tightrope.service.adapters.incident_copies.pieces import INCIDENT_PIECE_BYTES
from tightrope.service.adapters.journal.recorder import JOURNAL_FOLDER
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.ports import Bus
from tightrope.service.adapters.prometheus.bus_catalogue import UNDELIVERED_REASONS
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.sqlite.event_table import DAY_SECONDS
from tightrope.service.config.loader import Settings
from tightrope.serving.incident_follower import IncidentFollower
from tightrope.wiring.recording.incident_publisher import IncidentPublisher
from tightrope.wiring.recording.recorder import incident_library
from tightrope.wiring.topics import kafka_options

COPIES_FOLDER = "incidents"
"""The folder in the state folder of a gateway; its file there has no name."""

WAITING_PIECES = 4
"""Pieces in memory that wait for the broker: of one that is sent, and of one whose acknowledgement did not come."""

SIGNER_TEXT = b"tightrope:sent-incidents"


def follow_incidents(settings: Settings, bus: Bus, metrics: Metrics) -> IncidentFollower | None:
    """The incidents of the cluster for a gateway; None where the configuration asks for no record."""
    section = settings.record
    if section is None:
        return None
    folder = settings.state / COPIES_FOLDER
    space = FreeSpace(folder, reserve=section.reserve_bytes)
    file = PieceFile(folder, max(section.most_bytes // INCIDENT_PIECE_BYTES, 1), space.is_short)
    return IncidentFollower(bus, IncidentCopies(file), metrics, section.keep_days * DAY_SECONDS)


def publish_incidents(settings: Settings, metrics: Metrics) -> IncidentPublisher | None:
    """The publisher of a judge's incidents; None where the configuration asks for no record."""
    if settings.record is None:
        return None
    options = kafka_options(settings)

    def count_loss(name: str, _: bytes, reason: str) -> None:
        metrics.undelivered_records.labels(name, reason if reason in UNDELIVERED_REASONS else "refused").inc()

    small = replace(options, buffer_records=WAITING_PIECES, buffer_bytes=WAITING_PIECES * options.record_bytes)
    bus = KafkaBus(small, count_loss)
    library = incident_library(settings)
    return IncidentPublisher(settings.state / JOURNAL_FOLDER, library, bus, metrics, _signer(options), bus.close)


def _signer(options: KafkaOptions) -> str:
    """A text that differs once another secret signs; it does not tell the secret."""
    return hmac.digest(options.signing.secret, SIGNER_TEXT, "sha256").hex()[:16] if options.signing else ""
