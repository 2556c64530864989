import json
import zipfile
from pathlib import Path

from tests.support.judgement.recorded import RecordedJudge
from tightrope.offline.incidents.export import export_incident
from tightrope.offline.incidents.record_files import all_incidents, read_export, record_of_incident
from tightrope.offline.incidents.replay import replay
from tightrope.service.adapters.journal.incident import IncidentError

HEADER_BYTES = 30
"""Bytes of a file's header in a zip, before its name."""


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
    ways = {"ids": "hash", "digests": "aes-cmac", "columns": {"*": "drop"}, "search": "left out"}
    assert document["redaction"] == ways
    assert not any(b"0-100" in content for content in contents)


def test_altered_byte_of_an_export_is_told_in_one_line(tmp_path: Path) -> None:
    """Wherever a content is altered, read by the replay or not. A bit that the compression does not use alters none."""
    _, path = exported(tmp_path)
    altered, whole, told = tmp_path / "altered.zip", path.read_bytes(), set[str]()
    lines: list[str] = []
    with zipfile.ZipFile(path) as archive:
        files = {info.filename: info for info in archive.infolist()}
        contents = {name: archive.read(name) for name in files}
    for name, info in files.items():
        begin = info.header_offset + HEADER_BYTES + len(name)
        for place in range(begin, begin + info.compress_size, max(info.compress_size // 20, 1)):
            altered.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
            try:
                read_export(altered)
            except IncidentError as error:
                lines.append(str(error))
                told.add(name)
            else:
                with zipfile.ZipFile(altered) as archive:
                    assert archive.read(name) == contents[name], place
    assert told == files.keys()
    assert [line for line in lines if "\n" in line or not line.startswith(f"{altered}: ")] == []
