from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.support.judgement.recorded import Volume
from tightrope.monitors.records import Event
from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.journal.incident import INCIDENTS_FOLDER, Incident, write_incident
from tightrope.service.adapters.journal.recorder import RecordProgress
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.api.incidents.library import StoredIncidents
from tightrope.service.api.overview.event_log import log_name
from tightrope.service.api.overview.event_words import event_sentence
from tightrope.wiring.recording.watch import RESUMED, STOPPED, RecordWatch


class WatchedRecord:
    """A record in a folder, its volume, and how far it is."""

    def __init__(self, folder: Path) -> None:
        self.progress, self.volume, self.metrics = RecordProgress(), Volume(), Metrics(CollectorRegistry())
        self.events: list[Event] = []
        space = FreeSpace(folder, self.volume.statvfs, reserve=10_000)
        library = StoredIncidents(folder, ["m"])
        self.watch = RecordWatch(
            folder, ["m"], library, space, lambda _: self.progress, self.events.append, self.metrics, lambda: 7.0
        )

    def leave_out(self, inputs: int, reason: str = "") -> None:
        """Leave out further inputs."""
        self.progress = replace(self.progress, left_out=self.progress.left_out + inputs, reason=reason)

    def record(self, inputs: int) -> None:
        """Record further inputs."""
        self.progress = replace(self.progress, recorded=self.progress.recorded + inputs)

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
    assert record.value("tightrope_record_stopped", model="m") == 0
    record.leave_out(3)
    for _ in range(3):
        record.watch.check()
        record.leave_out(1)
    assert record.value("tightrope_record_stopped", model="m") == 1
    record.volume.free = 1000
    record.watch.check()
    record.watch.check()
    assert [(each.kind, each.model, each.time) for each in record.events] == [(STOPPED, "m", 7.0), (RESUMED, "m", 7.0)]
    assert "record.reserve_bytes" in record.events[0].reason
    assert record.events[0].detail == {"cause": "disk"}
    assert record.value("tightrope_record_stopped", model="m") == 0


def test_an_error_that_stops_the_record_is_an_event(record: WatchedRecord) -> None:
    """Inputs are left out and none is recorded; it ends once inputs are recorded and none is left out."""
    record.leave_out(3, "an error, which is in the log")
    record.watch.check()
    record.watch.check()  # no input came
    record.leave_out(1, "an error, which is in the log")
    record.record(1)
    record.watch.check()
    record.record(1)
    record.watch.check()
    assert [(each.kind, each.reason) for each in record.events] == [
        (STOPPED, "an error, which is in the log"),
        (RESUMED, "what is judged can be recorded again; what came between is missing"),
    ]
    assert [log_name(each) for each in record.events] == ["record-lost", "record-resumed"]
    assert event_sentence(record.events[0]) == "Incidents are not recorded: an error, which is in the log."


def test_a_folder_that_cannot_be_written_is_told_before_an_incident_needs_it(tmp_path: Path) -> None:
    """While all is well nothing is written, so nothing else would notice."""
    folder = tmp_path / "journal"
    record = WatchedRecord(folder)
    record.watch.check()
    assert (record.events, [*folder.iterdir()]) == ([], [])
    folder.rmdir()
    folder.touch()
    record.record(5)
    record.watch.check()
    (event,) = record.events
    assert (event.kind, event.reason) == (STOPPED, f"{folder} cannot be written: File exists")
    assert record.value("tightrope_record_stopped", model="m") == 1
    folder.unlink()
    record.record(5)
    record.watch.check()
    assert record.events[-1].kind == RESUMED


def test_inputs_that_a_slow_disk_leaves_out_do_not_stop_the_record(record: WatchedRecord) -> None:
    """They are counted, and others are recorded."""
    record.leave_out(3, "the disk is slower than the judge")
    record.record(1)
    record.watch.check()
    assert record.events == []
    assert record.value("tightrope_record_skipped_inputs_total") == 3
    record.leave_out(2)
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
