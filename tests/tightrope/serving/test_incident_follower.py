from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.judgement.published import incident, pieces_of
from tests.tightrope.serving.test_snapshot_follower import until
from tightrope.service.adapters.incident_copies.copies import CopyFaultError, IncidentCopies
from tightrope.service.adapters.incident_copies.piece_file import PieceFile
from tightrope.service.adapters.incident_copies.pieces import INCIDENT_PIECE_BYTES, encode_piece
from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import BusUnavailableError
from tightrope.service.adapters.prometheus.metric_set import process_registry
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import INCIDENTS, topic
from tightrope.serving.incident_follower import POLLED_RECORDS, IncidentFollower

CONTENT = b"x" * (2 * INCIDENT_PIECE_BYTES + 5)


class Followed:
    """A follower over a memory bus, and the wall clock that it sees; the topic may be made anew."""

    def __init__(self, folder: Path) -> None:
        self.bus, self.metrics, self.now = MemoryBus(), Metrics(process_registry()), 30.0
        self.remade = 0
        self.bus.generation = lambda *_: self.remade  # type: ignore[method-assign]
        copies = IncidentCopies(PieceFile(folder, 10))
        self.follower = IncidentFollower(self.bus, copies, self.metrics, 60.0, lambda: self.now)

    def publish(self, one: Incident, content: bytes = CONTENT, *, without: int | None = None) -> None:
        """Publish the pieces of a file but one."""
        for key, piece in pieces_of(one, content):
            if key.number != without:
                self.bus.publish(topic(INCIDENTS), encode_piece(key, piece), str(key))

    def faults(self, reason: str) -> int:
        """The faults that were counted."""
        return self.metrics.total("incident_faults", reason=reason)


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    """A follower without a thread."""
    one = Followed(tmp_path)
    yield one
    one.follower._copies.clear()


def test_published_incidents_are_served(followed: Followed) -> None:
    """Their files are equal in bytes; a thread takes them as they come."""
    followed.follower.start()
    followed.publish(incident())
    followed.publish(incident("m-2", 40.0, 50.0), b"small")
    until(lambda: len(followed.follower.incidents()) == 2 and followed.follower.file("m-2") == b"small")
    assert [each.id for each in followed.follower.incidents()] == ["m-1", "m-2"]
    assert followed.follower.file("m-1") == CONTENT
    assert followed.follower.file("m-3") is None
    followed.follower.stop(10.0)
    assert list(followed.follower.incidents()) == []


def test_deleted_incident_is_not_served(followed: Followed) -> None:
    """A record with an empty value deletes a piece."""
    followed.publish(incident(), b"small")
    followed.follower.step(0.0)
    for key, _ in pieces_of(incident(), b"small"):
        followed.bus.publish(topic(INCIDENTS), b"", str(key))
    followed.follower.step(0.0)
    assert (list(followed.follower.incidents()), followed.follower.file("m-1")) == ([], None)


def test_a_file_that_is_not_whole_is_told(followed: Followed, caplog: pytest.LogCaptureFixture) -> None:
    """When its last piece comes and each time it is asked for it is counted, and it is logged once."""
    followed.publish(incident(), without=1)
    followed.follower.step(0.0)
    assert followed.faults("incomplete") == 1
    for _ in range(2):
        with pytest.raises(CopyFaultError, match="m-1: 2 of its 3 pieces are here; ask again in a moment"):
            followed.follower.file("m-1")
    assert followed.faults("incomplete") == 3
    assert [line for line in caplog.messages if "2 of its 3" in line] == [caplog.messages[0]]


def test_records_that_are_no_pieces_are_skipped(followed: Followed) -> None:
    """Those behind them are read, and they are counted."""
    (key, piece), *_ = pieces_of(incident(), b"small")
    for name, value in (("m", b"x"), (str(key), b"garbage"), ("m/m-2/other/0", encode_piece(key, piece))):
        followed.bus.publish(topic(INCIDENTS), value, name)
    followed.publish(incident(), b"small")
    followed.follower.step(0.0)
    assert followed.follower.file("m-1") == b"small"
    assert followed.metrics.total("dead_records", topic=topic(INCIDENTS)) == 3


def test_incident_goes_after_the_time_for_which_it_is_kept(followed: Followed) -> None:
    """Also if the topic still has it."""
    followed.publish(incident(), b"small")
    followed.follower.step(0.0)
    followed.now = 80.0
    followed.follower.step(0.0)
    assert [each.id for each in followed.follower.incidents()] == ["m-1"]
    followed.now = 80.5
    followed.follower.step(0.0)
    assert list(followed.follower.incidents()) == []


def test_a_topic_made_anew_is_read_from_its_start(followed: Followed) -> None:
    """The incidents of the other one are gone."""
    followed.publish(incident(), b"small")
    followed.follower.step(0.0)
    followed.bus._logs.clear()
    followed.remade += 1
    followed.publish(incident("m-2", 40.0, 50.0), b"other")
    followed.follower.step(0.0)
    assert [each.id for each in followed.follower.incidents()] == ["m-2"]


def test_incidents_are_unknown_until_the_topic_was_read(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that never reached a broker knows nothing of them; one that has read them forgets with the topic."""

    def unreachable(_: object) -> dict[tuple[str, int], int]:
        raise BusUnavailableError("no broker")

    with monkeypatch.context() as down:
        down.setattr(followed.bus, "ends", unreachable)
        followed.follower.step(0.0)
        assert not followed.follower.is_known
    followed.follower.step(0.0)
    assert followed.follower.is_known
    followed.remade += 1
    monkeypatch.setattr(followed.bus, "ends", unreachable)
    followed.follower.step(0.0)
    assert not followed.follower.is_known


def test_incidents_that_were_not_read_yet_are_unknown(followed: Followed) -> None:
    """The gateway is in the midst of the topic."""
    for number in range(POLLED_RECORDS + 1):
        followed.publish(incident(f"m-{number}"), b"x")
    followed.follower.step(0.0)
    assert not followed.follower.is_known
    while not followed.follower.is_known:
        followed.follower.step(0.0)
    assert len(followed.follower.incidents()) == POLLED_RECORDS + 1
