import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.statements import (
    ANA,
    bundle_of,
    sample_approvals,
    sample_opinion,
    sample_statement,
)
from tightrope.service.statements import bundle as bundles
from tightrope.service.statements.bundle import (
    StatementFileError,
    append_envelope,
    parse_bundle,
    payload_digest,
    read_bundle,
    write_bundle,
)
from tightrope.service.statements.envelope import Envelope, encode_envelope

STATEMENT = sample_statement()
APPROVALS = sample_approvals(STATEMENT)


def test_bundle_is_read_in_any_order(tmp_path: Path) -> None:
    """Approvals may stand before their statement."""
    path = tmp_path / "model.onnx.intoto.jsonl"
    write_bundle(path, [*APPROVALS, STATEMENT])
    bundle = read_bundle(path)
    assert [each.envelope for each in bundle.qualifications] == [STATEMENT]
    assert [each.envelope for each in bundle.approvals] == APPROVALS
    assert bundle.qualifications[0].digest == payload_digest(STATEMENT.payload)


def test_payload_is_kept_byte_for_byte() -> None:
    """A statement with other white space than ours is another payload, and stays it."""
    payload = STATEMENT.payload.replace(b'":', b'" : ') + b"\n"
    assert bundle_of(Envelope(payload)).qualifications[0].envelope.payload == payload


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"text",
        b"{}",
        b"[1]",
        b"\xff\xfe",
        encode_envelope(Envelope(b"{}")),
        encode_envelope(Envelope(b'{"predicateType": "https://slsa.dev/provenance/v1"}')),
        encode_envelope(Envelope(STATEMENT.payload, payload_type="text/plain")),
    ],
)
def test_other_lines_are_ignored(line: bytes) -> None:
    """Other attestations may stand in the same file."""
    bundle = parse_bundle([line, encode_envelope(STATEMENT)])
    assert (len(bundle.qualifications), len(bundle.approvals), len(bundle.unreadable)) == (1, 0, 0)


def test_statement_that_is_not_understood_is_reported_with_its_line() -> None:
    """It is ours, so it is not passed over."""
    payload = STATEMENT.payload.replace(b'"seed":1', b'"seed":1,"more":2')
    (unreadable,) = parse_bundle([b"", encode_envelope(Envelope(payload))]).unreadable
    assert (unreadable.line, "more" in unreadable.reason) == (2, True)


@given(st.lists(st.binary()))
def test_any_lines_are_read_without_an_error(lines: list[bytes]) -> None:
    """A bundle may be anything."""
    parse_bundle(lines)


def test_lines_that_were_seen_earlier_count_though_they_were_deleted(tmp_path: Path) -> None:
    """Dissents that a gateway kept."""
    path = tmp_path / "bundle"
    write_bundle(path, [STATEMENT])
    dissent = sample_opinion(STATEMENT, ANA, "owner", "dissent", note="no")
    assert [a.envelope for a in read_bundle(path, [encode_envelope(dissent)]).approvals] == [dissent]


@pytest.mark.parametrize("end", [b"", b"\n", b"garbage"])
def test_appended_envelope_leaves_the_other_lines_as_they_are(tmp_path: Path, end: bytes) -> None:
    """Also those of other kinds, and the file keeps its rights."""
    path = tmp_path / "bundle"
    content = b'{ "other": 1 }\r\n' + encode_envelope(STATEMENT) + end
    path.write_bytes(content)
    path.chmod(0o640)
    append_envelope(path, APPROVALS[0])
    assert path.read_bytes().startswith(content)
    assert [a.envelope for a in read_bundle(path).approvals] == [APPROVALS[0]]
    assert path.stat().st_mode & 0o777 == 0o640
    assert [*tmp_path.iterdir()] == [path]


def test_appending_through_a_link_changes_the_file_behind_it(tmp_path: Path) -> None:
    """The link stays one."""
    target, link = tmp_path / "target", tmp_path / "link"
    write_bundle(target, [STATEMENT])
    link.symlink_to(target)
    append_envelope(link, APPROVALS[0])
    assert link.is_symlink()
    assert len(read_bundle(target).approvals) == 1


def test_files_that_cannot_be_read_have_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such file is waited for, or read whole."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_bytes(b"12345")
    (tmp_path / "lines").write_bytes(b"\n\n\n")
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.setattr(bundles, "MAX_BUNDLE_BYTES", 4)
    monkeypatch.setattr(bundles, "MAX_BUNDLE_LINES", 2)
    lines = {}
    for name in ("absent", "pipe", "folder", "large", "lines", "loop"):
        with pytest.raises(StatementFileError) as error:
            read_bundle(tmp_path / name)
        lines[name] = str(error.value)
    assert lines == {
        "absent": "is missing",
        "pipe": "cannot be read: a named pipe, not a regular file",
        "folder": "cannot be read: Is a directory",
        "large": "is larger than 0 MiB",
        "lines": "has more than 2 lines",
        "loop": "is missing",
    }


def test_folder_that_does_not_exist_has_one_line(tmp_path: Path) -> None:
    """The reason is the system's."""
    with pytest.raises(StatementFileError, match="cannot be written: No such file"):
        write_bundle(tmp_path / "absent" / "bundle", [STATEMENT])
