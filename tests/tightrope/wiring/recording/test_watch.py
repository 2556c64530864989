from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.support.judgement.recorded import Volume
from tightrope.monitors.records import Event
from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.journal.incident import INCIDENTS_FOLDER, Incident, write_incident
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.api.incidents.library import StoredIncidents
from tightrope.wiring.recording.watch import RESUMED, STOPPED, RecordWatch


class WatchedRecord:
    """A record in a folder, its volume, and the number of inputs that were left out."""

    def __init__(self, folder: Path) -> None:
        self.skipped, self.volume, self.metrics = 0, Volume(), Metrics(CollectorRegistry())
        self.events: list[Event] = []
        space = FreeSpace(folder, self.volume.statvfs, reserve=10_000)
        library = StoredIncidents(folder, ["m"])
        self.watch = RecordWatch(
            folder, ["m"], library, space, lambda: self.skipped, self.events.append, self.metrics, lambda: 7.0
        )

    def value(self, name: str, **labels: str) -> float | None:
        """A metric, as a scrape sees it."""
        self.metrics.exposition("")
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def record(tmp_path: Path) -> WatchedRecord:
    """A record of model ``m`` on a volume with room."""
    return WatchedRecord(tmp_path)


def test_a_full_disk_that_stops_the_record_is_an_event(record: WatchedRecord) -> None:
    """Once, however long it lasts; and one more when there is room again."""
    record.volume.free = 1
    record.watch.check()
    assert record.events == []  # what belongs to no incident made room
    record.skipped = 3
    for _ in range(3):
        record.watch.check()
        record.skipped += 1
    record.volume.free = 1000
    record.watch.check()
    record.watch.check()
    assert [(each.kind, each.model, each.time) for each in record.events] == [(STOPPED, "m", 7.0), (RESUMED, "m", 7.0)]
    assert "record.reserve_bytes" in record.events[0].reason


def test_inputs_that_a_slow_disk_leaves_out_are_no_full_disk(record: WatchedRecord) -> None:
    """They are counted, and the event is for the disk alone."""
    record.skipped = 3
    record.watch.check()
    assert record.events == []
    assert record.value("tightrope_record_skipped_inputs_total") == 3
    record.skipped = 5
    assert record.value("tightrope_record_skipped_inputs_total") == 5


def test_size_reserve_and_open_incidents_are_shown(record: WatchedRecord, tmp_path: Path) -> None:
    """As they are at each scrape."""
    assert record.value("tightrope_incidents_open", model="m") == 0
    write_incident(tmp_path / "m" / INCIDENTS_FOLDER, Incident("m-1", "m", 1.0, 1))
    write_incident(tmp_path / "m" / INCIDENTS_FOLDER, Incident("m-0", "m", 0.0, 1, closed=0.5, last=1))
    (tmp_path / "m" / "00000001.journal").write_bytes(b"12345")
    assert record.value("tightrope_record_bytes") == 5
    assert record.value("tightrope_incidents_open", model="m") == 1
    assert record.value("tightrope_record_disk_short") == 0
    record.volume.free = 1
    assert record.value("tightrope_record_disk_short") == 1
