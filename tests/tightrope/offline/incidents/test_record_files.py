import zipfile
from pathlib import Path

import pytest

from tests.support.judgement.recorded import RecordedJudge
from tightrope.offline.incidents.record_files import all_incidents, read_export, record_of_incident
from tightrope.service.adapters.journal.incident import IncidentError


def test_incidents_are_found_by_name(tmp_path: Path) -> None:
    """Each incident of each model is listed; an unknown name is an error that says how to list them."""
    judged = RecordedJudge(tmp_path)
    judged.judge_harm()
    judged.stop()
    (incident,) = all_incidents(judged.settings())
    assert incident.id.startswith("m-1970")
    with pytest.raises(IncidentError, match="no such incident"):
        record_of_incident(judged.settings(), "m-1")


def test_a_file_that_is_no_export_is_refused(tmp_path: Path) -> None:
    """Any other file, or archive, is named in one line."""
    (tmp_path / "a").write_bytes(b"text")
    with zipfile.ZipFile(tmp_path / "b", "w") as archive:
        archive.writestr("x", "y")
    for name in ("a", "b", "missing"):
        with pytest.raises(IncidentError, match=f"{name}: is no exported incident"):
            read_export(tmp_path / name)
