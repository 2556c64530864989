"""An erasure is an event of the audit trail, in a cluster as well."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.offline.audit import erasure_event
from tightrope.offline.audit.erasure_event import record_erasure
from tightrope.service.adapters.audit.cluster_chains import chains_of
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.topics import EVENTS, topic
from tightrope.service.adapters.wire.record_codec import decode_event
from tightrope.service.api.overview.event_words import event_sentence
from tightrope.service.config.loader import Settings, load

NOW = datetime(2026, 11, 30, tzinfo=UTC)
DIGEST = "0123456789abcdef0123"


class ClosingBus(MemoryBus):
    """A bus in memory in place of Kafka."""

    def close(self, timeout: float) -> None:
        """Nothing is to be closed."""


@pytest.fixture
def cluster(tmp_path: Path) -> Settings:
    """The settings of a cluster whose broker does not answer."""
    path = write_config(tmp_path, config(tmp_path) | {"bus": {"kafka": {"servers": ["127.0.0.1:9"]}}})
    return load(path, {})


def test_event_is_published_in_a_cluster(cluster: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a chain of its own, as the events of each process are."""
    bus = ClosingBus()
    reader = bus.subscribe(topic(EVENTS))
    monkeypatch.setattr("tightrope.service.adapters.kafka.bus.KafkaBus", lambda _: bus)
    assert record_erasure(cluster, DIGEST, Counter(m=2), Counter(m=1), "Ann", NOW) == ""
    records = reader.poll(9, 1.0)
    (event,) = (decode_event(record.value) for record in records)
    assert event_sentence(event) == (
        "Ann had a request erased: copies of rows and labels that are deleted: 2; rows in the record of incidents "
        "without id and input: 1; the digest of its id begins with 0123456789ab"
    )
    assert (event.detail["rows"], event.detail["recorded"], event.detail["request_digest"]) == (2, 1, DIGEST)
    (stored,) = chains_of(records).chains.values()
    assert stored.head is not None
    assert stored.head.last == 1


def test_broker_that_does_not_answer_is_told(cluster: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are clean then, and the trail does not know."""
    monkeypatch.setattr(erasure_event, "PUBLISH_SECONDS", 0.1)
    monkeypatch.setattr(erasure_event, "PRODUCER_CLOSE_SECONDS", 0.1)
    assert "not acknowledged" in record_erasure(cluster, DIGEST, {}, {}, "Ann", NOW)


def test_nothing_is_made_where_no_state_is(tmp_path: Path) -> None:
    """A trail that does not exist yet has no event."""
    settings = load(write_config(tmp_path, config(tmp_path)), {})
    assert record_erasure(settings, DIGEST, {}, {}, "Ann", NOW) == ""
    assert not (tmp_path / "state").exists()
