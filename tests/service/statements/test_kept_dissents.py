from pathlib import Path

import pytest

from tests.support.statements import (
    BO,
    CY,
    DAN,
    EXPECTED,
    NOW,
    TRUST,
    bundle_of,
    sample_approvals,
    sample_opinion,
    sample_statement,
)
from tightrope.service.statements.bundle import StatementFileError, parse_bundle
from tightrope.service.statements.envelope import encode_envelope
from tightrope.service.statements.examination import examine
from tightrope.service.statements.kept_dissents import keep_dissents, read_dissents

STATEMENT = sample_statement()
APPROVED = [STATEMENT, *sample_approvals(STATEMENT)]
DISSENT = sample_opinion(STATEMENT, CY, "owner", "dissent", note="no")


def test_dissent_is_kept_once_and_counts_when_its_line_is_gone(tmp_path: Path) -> None:
    """The file is one that only its user may read."""
    path = tmp_path / "state" / "dissents.jsonl"
    assert read_dissents(path) == []
    (new,) = keep_dissents(path, bundle_of(*APPROVED, DISSENT), TRUST)
    assert new.envelope == DISSENT
    assert keep_dissents(path, bundle_of(*APPROVED, DISSENT, DISSENT), TRUST) == []
    assert path.stat().st_mode & 0o777 == 0o600
    lines = [encode_envelope(envelope) for envelope in APPROVED]
    assert examine(parse_bundle(lines), EXPECTED, TRUST, NOW).holds
    reasons = examine(parse_bundle([*lines, *read_dissents(path)]), EXPECTED, TRUST, NOW).reasons
    assert reasons == ['cy dissents: "no" (owner)']


def test_answered_dissent_stays_answered(tmp_path: Path) -> None:
    """Its key approved, and named it."""
    answer = sample_opinion(STATEMENT, CY, "owner", seen=[DISSENT])
    keep_dissents(tmp_path / "kept", bundle_of(DISSENT), TRUST)
    lines = [encode_envelope(envelope) for envelope in (*APPROVED, answer)]
    assert examine(parse_bundle([*lines, *read_dissents(tmp_path / "kept")]), EXPECTED, TRUST, NOW).holds


def test_only_dissents_of_listed_keys_are_kept(tmp_path: Path) -> None:
    """A file that anyone could fill would grow for ever."""
    stranger = sample_opinion(STATEMENT, DAN, "owner", "dissent")
    assert keep_dissents(tmp_path / "kept", bundle_of(*APPROVED, stranger), TRUST) == []
    assert not (tmp_path / "kept").exists()


def test_dissents_are_added_to_those_before(tmp_path: Path) -> None:
    """The file holds all that were ever seen, the oldest first."""
    other = sample_opinion(STATEMENT, BO, "owner", "dissent", note="later")
    keep_dissents(tmp_path / "kept", bundle_of(DISSENT), TRUST)
    keep_dissents(tmp_path / "kept", bundle_of(other), TRUST)
    assert [a.envelope for a in parse_bundle(read_dissents(tmp_path / "kept")).approvals] == [DISSENT, other]


def test_file_that_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    """A folder in its place, or a link to nothing, hides dissents."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("absent")
    for name in ("folder", "link"):
        with pytest.raises(StatementFileError):
            read_dissents(tmp_path / name)
    (tmp_path / "file").touch()
    with pytest.raises(StatementFileError, match="cannot be written"):
        keep_dissents(tmp_path / "file" / "kept", bundle_of(DISSENT), TRUST)
