import json
import zipfile
from pathlib import Path

from tests.support.judgement.recorded import RecordedJudge
from tightrope.offline.incidents.export import export_incident
from tightrope.offline.incidents.record_files import all_incidents, read_export, record_of_incident
from tightrope.offline.incidents.replay import replay


def exported(folder: Path) -> tuple[RecordedJudge, Path]:
    """An incident of a judge that was killed once, as a file."""
    judged = RecordedJudge(folder)
    judged.judge_harm(slice(0, 14))
    judged.kill()
    judged.judge_harm(slice(14, None))
    judged.stop()
    (incident,) = all_incidents(judged.settings())
    path = folder / "incident.zip"
    export_incident(record_of_incident(judged.settings(), incident.id), path)
    return judged, path


def test_the_same_incident_gives_the_same_bytes(tmp_path: Path) -> None:
    """Neither the time of the export nor the order of files is in it."""
    judged, path = exported(tmp_path)
    first = path.read_bytes()
    (incident,) = all_incidents(judged.settings())
    export_incident(record_of_incident(judged.settings(), incident.id), path)
    assert path.read_bytes() == first


def test_an_export_replays_alone(tmp_path: Path) -> None:
    """All that the replay needs is in the file: the plan, the states and the inputs."""
    _, path = exported(tmp_path)
    result = replay(read_export(path))
    assert (result.differs, result.states > 2) == (0, True)


def test_an_export_says_what_it_holds(tmp_path: Path) -> None:
    """It names versions and host of the judge, the redaction, and whether it is complete; ids are nowhere in it."""
    _, path = exported(tmp_path)
    with zipfile.ZipFile(path) as archive:
        document = json.loads(archive.read("incident.json"))
        contents = [archive.read(name) for name in archive.namelist()]
    assert document["format"] == "tightrope.incident/1"
    assert (document["complete"], document["hosts"]) == (True, ["a processor"])
    assert document["redaction"] == {"ids": "digests", "columns": "left out"}
    assert not any(b"0-100" in content for content in contents)
