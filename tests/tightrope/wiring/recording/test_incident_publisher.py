from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.judgement.published import Published
from tightrope.service.adapters.journal.incident import INCIDENTS_FOLDER, Incident, write_incident
from tightrope.service.adapters.kafka.admin import TopicDescription
from tightrope.service.adapters.topics import INCIDENTS, topic
from tightrope.service.errors import UnavailableError
from tightrope.wiring.recording import incident_publisher
from tightrope.wiring.recording.incident_publisher import IncidentPublisher


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Published]:
    """Its files are in pieces of 1,000 bytes."""
    monkeypatch.setattr("tightrope.service.adapters.incident_copies.pieces.INCIDENT_PIECE_BYTES", 1_000)
    one = Published(tmp_path)
    yield one
    one.copies.clear()


def test_a_closed_incident_reaches_the_gateways(published: Published) -> None:
    """Equal in its bytes, once; a restart sends nothing again."""
    published.check()
    assert list(published.follower.incidents()) == [published.incident]
    assert published.follower.file(published.incident.id) == published.library.file(published.incident.id)
    sent = len(published.bus.sent)
    assert sent > 2
    published.restart()
    published.check()
    assert (len(published.bus.sent), published.unpublished) == (sent, 0)


def test_nothing_is_published_before_the_topic_exists(published: Published) -> None:
    """A broker might create it with other settings."""
    published.publisher.notice({topic(INCIDENTS): TopicDescription("", 0)})
    published.check()
    assert published.bus.sent == []


def test_a_record_that_still_changes_is_not_published(published: Published) -> None:
    """The last segment may go on after the incident; once another segment follows, it does not."""
    published.publisher.check()
    assert (published.bus.sent, published.unpublished) == ([], 1)
    (segment,) = list((published.folder / "m").glob("*.journal"))[-1:]
    published.now += incident_publisher.UNCHANGED_SECONDS
    segment.write_bytes(segment.read_bytes())
    published.publisher.check()
    assert published.bus.sent == []
    (segment.parent / f"{int(segment.stem) + 1:08d}.journal").write_bytes(b"")
    published.publisher.check()
    assert published.bus.sent != []


def test_what_the_budget_deletes_is_deleted_from_the_topic(published: Published) -> None:
    """The last piece goes first, so that no gateway takes the rest for whole."""
    published.check()
    pieces = len(published.bus.sent)
    (published.folder / "m" / INCIDENTS_FOLDER / f"{published.incident.id}.json").unlink()
    published.restart()
    published.check()
    assert published.bus.sent[pieces:] == [(str(number), False) for number in reversed(range(pieces))]
    assert list(published.follower.incidents()) == []
    published.check()
    assert len(published.bus.sent) == 2 * pieces


def test_an_erased_incident_is_deleted_and_sent_anew(published: Published) -> None:
    """Nothing of the first version is left among the latest records, and it goes before the second one comes."""
    published.check()
    before, pieces = published.library.file(published.incident.id), len(published.bus.sent)
    erased = published.incident.without("rows were erased")
    write_incident(published.folder / "m" / INCIDENTS_FOLDER, erased)
    published.check()
    assert published.bus.sent[pieces : 2 * pieces] == [(str(number), False) for number in reversed(range(pieces))]
    assert list(published.follower.incidents()) == [erased]
    assert published.follower.file(erased.id) == published.library.file(erased.id) != before
    latest = {record.key: record.value for record in published.records()}
    digests = {str(key).split("/")[2] for key, value in latest.items() if value}
    assert len(digests) == 1


def test_an_open_incident_is_shown_with_its_moves(published: Published) -> None:
    """At once, and with each move; its file comes when it has closed."""
    folder = published.folder / "m" / INCIDENTS_FOLDER
    opened = replace(published.incident, closed=None, last=None)
    for each in (replace(opened, moves=opened.moves[:1]), opened):
        write_incident(folder, each)
        published.publisher.check()
        published.read()
        assert list(published.follower.incidents()) == [each]
        with pytest.raises(
            UnavailableError, match="it is open, and the gateways of a cluster have its file once it has"
        ):
            published.follower.file(each.id)
    write_incident(folder, published.incident)
    published.check()
    assert list(published.follower.incidents()) == [published.incident]
    assert published.follower.file(opened.id) == published.library.file(opened.id)
    assert len({str(record.key).split("/")[2] for record in published.records() if record.value}) == 3
    assert sum(bool(value) for value in {r.key: r.value for r in published.records()}.values()) > 1


def test_a_judge_that_ends_leaves_the_file_of_an_open_incident(published: Published) -> None:
    """Another judge goes on with a record of its own, and the disk of this one may be gone with it. The judge that
    starts again on this state sends nothing before the incident goes on, and the whole file then.
    """
    opened = replace(published.incident, closed=None, last=None)
    folder = published.folder / "m" / INCIDENTS_FOLDER
    write_incident(folder, opened)
    published.check()
    assert len(published.bus.sent) == 1
    published.publisher.stop(10.0)
    published.read()
    assert list(published.follower.incidents()) == [opened]
    assert published.follower.file(opened.id) == published.library.file(opened.id)
    sent = len(published.bus.sent)
    published.restart()
    published.check()
    assert len(published.bus.sent) == sent
    write_incident(folder, published.incident)
    published.check()
    assert published.follower.file(opened.id) == published.library.file(opened.id)
    assert list(published.follower.incidents()) == [published.incident]


def test_a_broker_that_is_away_holds_back_only_the_publisher(
    published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is sent in part for good: all of the file is sent again, and no attempt is made for a while."""
    published.bus.taken = 2
    published.check()
    assert len(published.bus.sent) == 2
    assert list(published.follower.incidents()) == []
    assert published.unpublished == 1
    assert "incidents are not published now, and sent later: Kafka does not answer" in caplog.text
    published.bus.taken = 1_000
    published.publisher._resume_at = published.now + 1.0
    published.publisher.check()
    assert len(published.bus.sent) == 2
    published.restart()
    published.check()
    assert published.follower.file(published.incident.id) == published.library.file(published.incident.id)


def test_a_topic_made_anew_and_another_secret_get_all_again(published: Published) -> None:
    """Records of the old topic are gone, and those of the old secret are refused."""
    published.check()
    pieces = len(published.bus.sent)
    for number, (signer, topic_id) in enumerate([("other", "id"), ("other", "new")], 2):
        published.restart(signer, topic_id)
        published.check()
        assert len(published.bus.sent) == number * pieces


def test_a_damaged_record_is_told_and_holds_back_no_other_incident(
    published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    """It is tried again after a while."""
    damaged = Incident("m-0", "m", 0.0, 7, closed=0.5, last=7)
    write_incident(published.folder / "m" / INCIDENTS_FOLDER, damaged)
    (published.folder / "m" / "00000007.journal").write_bytes(b"damaged")
    published.check()
    assert "incident m-0 cannot be published to the gateways now: a segment of the record is damaged" in caplog.text
    assert list(published.follower.incidents()) == [published.incident]
    assert published.unpublished == 1


def test_the_file_of_a_record_that_is_too_large_is_not_made(
    published: Published, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """To make it beside the judge would take too much memory and time: the incident is shown without its file."""
    monkeypatch.setattr(incident_publisher, "MOST_PUBLISHED_BYTES", 10)
    published.check()
    assert list(published.follower.incidents()) == [published.incident]
    with pytest.raises(
        UnavailableError, match="its record is too large to be published; `tightrope incident CONFIG ID"
    ):
        published.follower.file(published.incident.id)
    assert "bytes is too large to be published" in caplog.text


def test_the_publisher_looks_by_itself_and_closes_its_bus(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a thread of its own."""
    monkeypatch.setattr(incident_publisher, "PUBLISH_CHECK_SECONDS", 0.001)
    monkeypatch.setattr(incident_publisher, "UNCHANGED_SECONDS", 0.0)
    closed: list[float] = []
    args = published.folder, published.library, published.bus, published.metrics, "", closed.append
    publisher = IncidentPublisher(*args)
    publisher.notice({topic(INCIDENTS): TopicDescription("id", 2)})
    publisher.start()
    reader = published.bus.subscribe(topic(INCIDENTS))
    assert reader.poll(1, 10.0) != []
    publisher.stop(10.0)
    assert closed == [incident_publisher.CLOSE_SECONDS]
