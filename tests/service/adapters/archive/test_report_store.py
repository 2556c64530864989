import hashlib
import stat
from base64 import b64encode
from pathlib import Path

import pytest

from tightrope.service.adapters.archive.report_store import ReportStore, content_security_policy, script_hashes

NOON = 1_769_860_800.0
"""2026-01-31, 12:00 UTC."""


def test_report_is_found_by_its_time(tmp_path: Path) -> None:
    """Its name is that time in UTC; page and figures are unchanged."""
    store = ReportStore(tmp_path)
    store.save("m", "<p>größer</p>", {"rows": 3}, 20, NOON)
    report = store.find("m", "20260131T120000Z")
    assert report is not None
    assert report.page.read_text(encoding="utf-8") == "<p>größer</p>"
    assert (report.figures, report.time) == ({"rows": 3}, NOON)


def test_only_the_newest_reports_are_kept(tmp_path: Path) -> None:
    """The oldest are deleted first, pages and figures together."""
    store = ReportStore(tmp_path)
    for hour in range(5):
        store.save("m", "", {"hour": hour}, 3, NOON + 3600 * hour)
    assert [report.figures["hour"] for report in store.list("m")] == [4, 3, 2]
    assert len(list((tmp_path / "m").iterdir())) == 6


def test_models_do_not_share_reports(tmp_path: Path) -> None:
    """Reports of one model neither appear among nor displace those of another."""
    store = ReportStore(tmp_path)
    store.save("m", "", {}, 1, NOON)
    store.save("n", "", {}, 1, NOON + 60)
    assert (store.names("m"), store.names("n")) == (["20260131T120000Z"], ["20260131T120100Z"])
    assert store.names("nobody") == []


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../n/20260131T120000Z", "20260131T120000Z/..", "/etc/passwd", "20260131T120000Z.json",
     "20260131T120000Z\n", "20260131T120000Z\0", "\uff12\uff10\uff12\uff160131T120000Z", "*", "20260131t120000z"],
)  # fmt: skip
def test_only_names_of_reports_are_looked_up(tmp_path: Path, name: str) -> None:
    """A name that is not a time is not looked up on disk."""
    store = ReportStore(tmp_path)
    store.save("m", "", {}, 1, NOON)
    store.save("n", "", {}, 1, NOON)
    assert store.find("m", name) is None


def test_incomplete_report_is_not_returned(tmp_path: Path) -> None:
    """A report cut short while written, or deleted while read, is not returned."""
    store = ReportStore(tmp_path)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "20260131T120000Z.html").write_text("page without figures")
    (tmp_path / "m" / "20260131T130000Z.json").write_text('{"figures": {}, "scripts": []}')
    (tmp_path / "m" / "20260131T140000Z.html").write_text("page with torn figures")
    (tmp_path / "m" / "20260131T140000Z.json").write_text('{"figures": {')
    assert list(store.list("m")) == []


def test_policy_allows_the_scripts_of_a_page_by_their_hashes(tmp_path: Path) -> None:
    """Hashes cover the text between the tags, as in a browser."""
    page = "<script>a()</script><p></p><script type='x'>\nb('<script>')\n</script>"
    hashes = ["sha256-" + b64encode(hashlib.sha256(text).digest()).decode() for text in (b"a()", b"\nb('<script>')\n")]
    assert script_hashes(page) == hashes
    assert ReportStore(tmp_path).save("m", page, {}, 1, NOON).scripts == tuple(hashes)
    assert f"script-src '{hashes[0]}' '{hashes[1]}';" in content_security_policy(hashes)


def test_without_hashes_no_script_runs() -> None:
    """No policy allows arbitrary scripts."""
    assert "script-src 'none'" in content_security_policy([])
    assert "default-src 'none'" in content_security_policy([])


def test_other_users_cannot_read_reports(tmp_path: Path) -> None:
    """Reports contain callers' data: other users of the machine have no access to the folders."""
    ReportStore(tmp_path / "reports").save("m", "", {}, 1, NOON)
    modes = [(tmp_path / place).stat().st_mode for place in ("reports", "reports/m")]
    assert [stat.S_IMODE(mode) for mode in modes] == [0o700, 0o700]
