"""A bundle: a file of DSSE envelopes, one a line, in any order. Lines of other kinds are ignored."""

import hashlib
import secrets
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from tightrope.service.adapters.model_files import ModelFileError, require_file
from tightrope.service.errors import TightropeError
from tightrope.service.statements.approval import APPROVAL_TYPE, ApprovalStatement
from tightrope.service.statements.envelope import (
    MALFORMED_JSON,
    PAYLOAD_TYPE,
    Envelope,
    decode_envelope,
    encode_envelope,
)
from tightrope.service.statements.qualification import QUALIFICATION_TYPE, QualificationStatement

MAX_BUNDLE_BYTES = 64 << 20
MAX_BUNDLE_LINES = 10_000

StatementT = TypeVar("StatementT", bound=QualificationStatement | ApprovalStatement)


class StatementFileError(TightropeError):
    """A bundle is missing, cannot be read or written, or is too large. The text has no name of the file."""


@dataclass(frozen=True, slots=True)
class SignedStatement(Generic[StatementT]):
    """A statement with the envelope in which it came; ``digest`` is the SHA-256 of its payload."""

    statement: StatementT
    envelope: Envelope

    @property
    def digest(self) -> str:
        """SHA-256 of the payload, in hexadecimal."""
        return payload_digest(self.envelope.payload)


@dataclass(frozen=True, slots=True)
class UnreadableStatement:
    """An envelope with a statement of this project that is not understood, and why."""

    line: int
    reason: str
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Bundle:
    """The statements of a bundle, by kind."""

    qualifications: Sequence[SignedStatement[QualificationStatement]] = ()
    approvals: Sequence[SignedStatement[ApprovalStatement]] = ()
    unreadable: Sequence[UnreadableStatement] = ()


class _PredicateType(msgspec.Struct):
    predicateType: str  # noqa: N815 - as in-toto names it


@dataclass(slots=True)
class _Sorter:
    qualifications: list[SignedStatement[QualificationStatement]] = field(default_factory=list)
    approvals: list[SignedStatement[ApprovalStatement]] = field(default_factory=list)
    unreadable: list[UnreadableStatement] = field(default_factory=list)

    def add(self, number: int, envelope: Envelope) -> None:
        kind = _predicate_type(envelope)
        try:
            if kind == QUALIFICATION_TYPE:
                qualification = msgspec.json.decode(envelope.payload, type=QualificationStatement)
                self.qualifications.append(SignedStatement(qualification, envelope))
            elif kind == APPROVAL_TYPE:
                approval = msgspec.json.decode(envelope.payload, type=ApprovalStatement)
                self.approvals.append(SignedStatement(approval, envelope))
        except MALFORMED_JSON as error:
            self.unreadable.append(UnreadableStatement(number, " ".join(str(error).split())[:200], envelope))


def payload_digest(payload: bytes) -> str:
    """SHA-256 of a payload, in hexadecimal."""
    return hashlib.sha256(payload).hexdigest()


def encode_statement(statement: QualificationStatement | ApprovalStatement) -> bytes:
    """The payload of a statement: JSON without spaces, the keys of maps sorted."""
    return msgspec.json.encode(statement, order="deterministic")


def read_bundle(path: Path, kept: Iterable[bytes] = ()) -> Bundle:
    """Read a bundle; ``kept`` are lines that a reader saw earlier, such as dissents, which count though they were
    deleted.

    Raises:
        StatementFileError: with the reason, when the file cannot be read.
    """
    return parse_bundle([*read_lines(path), *kept])


def is_there(path: Path) -> bool:
    """Whether there is a bundle; one that cannot be looked at counts as one that is there and cannot be read."""
    try:
        return path.exists()
    except OSError:
        return True


def read_lines(path: Path) -> list[bytes]:
    """The lines of a bundle.

    Raises:
        StatementFileError: with the reason.
    """
    lines = _read(path).splitlines()
    if len(lines) > MAX_BUNDLE_LINES:
        raise StatementFileError(f"has more than {MAX_BUNDLE_LINES} lines")
    return lines


def parse_bundle(lines: Iterable[bytes]) -> Bundle:
    """The statements in the lines of a bundle. Never raises: a line that is no envelope of a statement is ignored."""
    sorter = _Sorter()
    for number, line in enumerate(lines, 1):
        envelope = decode_envelope(line)
        if envelope is not None and envelope.payload_type == PAYLOAD_TYPE:
            sorter.add(number, envelope)
    return Bundle(sorter.qualifications, sorter.approvals, sorter.unreadable)


def write_bundle(path: Path, envelopes: Iterable[Envelope], mode: int = 0o644) -> None:
    """Replace a bundle by these envelopes, at once: no reader sees half of it. A new file gets the ``mode``.

    Raises:
        StatementFileError: with the reason.
    """
    _replace(path, b"".join(encode_envelope(envelope) + b"\n" for envelope in envelopes), mode)


def append_envelope(path: Path, envelope: Envelope) -> None:
    """Add an envelope to a bundle, at once; its other lines stay byte for byte.

    Raises:
        StatementFileError: with the reason.
    """
    content = _read(path)
    separator = b"" if not content or content.endswith(b"\n") else b"\n"
    _replace(path, content + separator + encode_envelope(envelope) + b"\n")


def _predicate_type(envelope: Envelope) -> str | None:
    try:
        return msgspec.json.decode(envelope.payload, type=_PredicateType).predicateType
    except MALFORMED_JSON:
        return None


def _read(path: Path) -> bytes:
    try:
        if not path.exists():
            raise StatementFileError("is missing")
        require_file(path)
        with path.open("rb") as file:
            content = file.read(MAX_BUNDLE_BYTES + 1)
    except ModelFileError as error:
        raise StatementFileError(str(error).removeprefix(f"{path}: ")) from error
    except OSError as error:
        raise StatementFileError(f"cannot be read: {error.strerror}") from error
    if len(content) > MAX_BUNDLE_BYTES:
        raise StatementFileError(f"is larger than {MAX_BUNDLE_BYTES >> 20} MiB")
    return content


def _replace(path: Path, content: bytes, mode: int = 0o644) -> None:
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        try:
            draft.touch(mode)
            draft.write_bytes(content)
            if target.exists():
                draft.chmod(stat.S_IMODE(target.stat().st_mode))
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise StatementFileError(f"cannot be written: {error.strerror}") from error
