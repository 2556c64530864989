from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.judgement.recorded import RecordedJudge
from tightrope.offline.incidents.record_files import all_incidents
from tightrope.service.adapters.journal.incident import INCIDENTS_FOLDER, Incident, write_incident
from tightrope.service.api.incidents.library import NO_INCIDENTS, StoredIncidents
from tightrope.service.errors import OverloadedError, UnavailableError


def test_incidents_of_the_state_folder_are_served(tmp_path: Path) -> None:
    """As the command lists them, with their file; an unknown name has none."""
    judged = RecordedJudge(tmp_path)
    judged.judge_harm()
    judged.stop()
    library = StoredIncidents(tmp_path / "journal", ["m", "other"])
    (incident,) = library.incidents()
    assert [incident] == all_incidents(judged.settings())
    file = library.file(incident.id)
    assert file is not None
    assert file == library.file(incident.id)
    assert library.file("../../etc/passwd") is None


def test_each_change_of_an_incident_is_seen(tmp_path: Path) -> None:
    """At once: a change within the same tick of the clock, and a deletion, too."""
    folder, library = tmp_path / "m" / INCIDENTS_FOLDER, StoredIncidents(tmp_path, ["m"])
    assert list(library.incidents()) == []
    incident = Incident("m-1", "m", 1.0, 1)
    write_incident(folder, incident)
    assert list(library.incidents()) == [incident]
    closed = replace(incident, closed=2.0, last=1)
    write_incident(folder, closed)
    assert list(library.incidents()) == [closed]
    (folder / "m-1.json").unlink()
    assert list(library.incidents()) == []


def test_one_file_is_made_at_a_time(tmp_path: Path) -> None:
    """It takes processor time that requests need more: a second caller is asked to come again."""
    library = StoredIncidents(tmp_path, ["m"])
    write_incident(tmp_path / "m" / INCIDENTS_FOLDER, Incident("m-1", "m", 1.0, 1))
    with library._exporting, pytest.raises(OverloadedError, match="another incident"):
        library.file("m-1")


def test_a_record_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """As unavailable, with the reason."""
    library = StoredIncidents(tmp_path, ["m"])
    write_incident(tmp_path / "m" / INCIDENTS_FOLDER, Incident("m-1", "m", 1.0, 1))
    (tmp_path / "m" / "00000001.journal").mkdir()
    with pytest.raises(UnavailableError, match="m-1: its record cannot be read"):
        library.file("m-1")


def test_without_a_record_there_are_none() -> None:
    """The list is empty, and no name has a file."""
    assert (list(NO_INCIDENTS.incidents()), NO_INCIDENTS.file("m-1")) == ([], None)
