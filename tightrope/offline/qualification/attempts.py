"""The list of qualifications that were tried on the same rows: trying again until one passes shows."""

from pathlib import Path

import msgspec

from tightrope.offline.qualification.stages import FOLDER, QualificationStateError
from tightrope.service.statements.qualification import AttemptRecord

ATTEMPTS_FILE = "attempts.jsonl"


class _DataAttempt(msgspec.Struct, frozen=True):
    data: str
    attempt: AttemptRecord


def earlier_attempts(state: Path, data_digest: str) -> list[AttemptRecord]:
    """The attempts on rows with this digest, oldest first; lines that cannot be read are left out."""
    try:
        lines = (state / FOLDER / ATTEMPTS_FILE).read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            read = msgspec.json.decode(line, type=_DataAttempt)
        except msgspec.MsgspecError:
            continue
        if read.data == data_digest:
            found.append(read.attempt)
    return found


def add_attempt(state: Path, data_digest: str, attempt: AttemptRecord) -> None:
    """Append an attempt.

    Raises:
        QualificationStateError: with the reason.
    """
    path = state / FOLDER / ATTEMPTS_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(msgspec.json.encode(_DataAttempt(data_digest, attempt)) + b"\n")
    except OSError as error:
        raise QualificationStateError(f"{path}: cannot be written: {error.strerror}") from error
