import io
import json
import zipfile
from pathlib import Path

from tests.support.judgement.recorded import RecordedJudge
from tightrope.service.adapters.journal.record import JudgementRecord, read_record
from tightrope.service.adapters.journal.segments import stored_incidents
from tightrope.service.api.incidents.evidence_rows import rows_csv
from tightrope.service.api.incidents.export import README, export_bytes
from tightrope.service.api.incidents.links import incident_links
from tightrope.service.api.incidents.report import report_page


def recorded(folder: Path) -> JudgementRecord:
    """The record of the only incident of a judge."""
    judged = RecordedJudge(folder)
    judged.judge_harm()
    judged.stop()
    (incident,) = stored_incidents(judged.folder / "m")
    return read_record("m", judged.folder / "m", incident)


def test_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    """With every file that the README names, and with the pages for people."""
    record = recorded(tmp_path)
    content = export_bytes(record)
    assert content == export_bytes(record)
    assert record.incident is not None
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("report.html") == report_page(record.incident)
        assert archive.read("rows.csv").decode() == rows_csv(record)
        document = json.loads(archive.read("incident.json"))
        for name in {each.lstrip("0123456789-") for each in archive.namelist()} - {"README.txt"}:
            assert name in README, name
    links = incident_links(record.incident)
    assert (document["events"], document["reviews"]) == (links["events"], links["reviews"])
