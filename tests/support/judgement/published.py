"""Incidents with files of few bytes, as records of the topic on which judges publish them, and a judge that does so."""

from pathlib import Path

from tests.support.judgement.recorded import RecordedJudge
from tightrope.service.adapters.incident_copies.copies import IncidentCopies
from tightrope.service.adapters.incident_copies.piece_file import PieceFile
from tightrope.service.adapters.incident_copies.pieces import Piece, PieceKey, file_digest, split_file
from tightrope.service.adapters.journal.incident import Incident, Move
from tightrope.service.adapters.kafka.admin import TopicDescription
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import BusUnavailableError, Record
from tightrope.service.adapters.prometheus.metric_set import process_registry
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import INCIDENTS, topic
from tightrope.service.api.incidents.library import StoredIncidents
from tightrope.serving.incident_follower import IncidentFollower
from tightrope.wiring.recording import incident_publisher
from tightrope.wiring.recording.incident_publisher import IncidentPublisher

MOVE = Move(10.0, "group=minority", "breach", "safe", "judge", "they differ")


def incident(name: str = "m-1", opened: float = 10.0, closed: float | None = 20.0, model: str = "m") -> Incident:
    """An incident with one move."""
    return Incident(name, model, opened, 1, closed, None if closed is None else 1, moves=(MOVE,))


def pieces_of(one: Incident, content: bytes) -> list[tuple[PieceKey, Piece]]:
    """The pieces of its file."""
    return list(split_file(one, content, file_digest(one, content)))


class AwayBus(MemoryBus):
    """A memory bus whose broker may be away, with the records in the order in which they came."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away, self.taken, self.sent = False, 1_000, list[tuple[str, bool]]()

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Append a record while the broker is there and takes more."""
        if self.is_away or self.taken <= 0:
            raise BusUnavailableError("Kafka does not answer")
        self.taken -= 1
        self.sent.append((str(key).rpartition("/")[2], bool(value)))
        super().publish(topic, value, key)


class Published:
    """The record of a judge with one closed incident, its publisher, and a gateway that follows."""

    def __init__(self, folder: Path) -> None:
        (folder / "state").mkdir()
        judged = RecordedJudge(folder / "state")
        judged.judge_harm()
        judged.stop()
        self.folder, self.metrics, self.now = judged.folder, Metrics(process_registry()), 0.0
        self.bus, self.library = AwayBus(), StoredIncidents(judged.folder, ["m"])
        self.copies = IncidentCopies(PieceFile(folder / "gateway", 100))
        self.follower = IncidentFollower(self.bus, self.copies, self.metrics, 1e12)
        (self.incident,) = self.library.incidents()
        self.restart()

    def restart(self, signer: str = "", topic_id: str = "id") -> None:
        """Another process on the same state; it knows its topic."""
        self.publisher = IncidentPublisher(
            self.folder, self.library, self.bus, self.metrics, signer, clock=lambda: self.now
        )
        self.publisher.notice({topic(INCIDENTS): TopicDescription(topic_id, 2)})

    def check(self) -> None:
        """Look twice, with enough time in between, and let the gateway read."""
        for _ in range(2):
            self.publisher.check()
            self.now += incident_publisher.PUBLISH_RETRY_SECONDS
        self.read()

    def read(self) -> None:
        """Let the gateway read all that is there."""
        while self.follower._records.lag():
            self.follower.step(0.0)

    def records(self) -> list[Record]:
        """All records of the topic."""
        return self.bus.subscribe(topic(INCIDENTS)).poll(1000, 0.0)

    @property
    def unpublished(self) -> float | None:
        """The metric."""
        return self.metrics.registry.get_sample_value("tightrope_incidents_unpublished")
