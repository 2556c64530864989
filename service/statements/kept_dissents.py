"""Dissents that a gateway saw, kept in a file of its state: they count though their lines are deleted from the bundle.

The file is a bundle: appended to that of the model, its lines are seen again, and their keys can answer them.
"""

from collections.abc import Sequence
from pathlib import Path

from tightrope.service.statements.approval import ApprovalStatement
from tightrope.service.statements.bundle import (
    Bundle,
    SignedStatement,
    StatementFileError,
    parse_bundle,
    read_lines,
    write_bundle,
)
from tightrope.service.statements.trust import Trust

DISSENTS_FILE = "dissents.jsonl"
"""The name of the file in a state folder."""


def read_dissents(path: Path) -> Sequence[bytes]:
    """The kept lines; none if nothing was kept yet.

    Raises:
        StatementFileError: with the reason, when there is a file that cannot be read.
    """
    return read_lines(path) if path.is_symlink() or path.exists() else []


def keep_dissents(path: Path, bundle: Bundle, trust: Trust) -> Sequence[SignedStatement[ApprovalStatement]]:
    """Keep the dissents of listed keys in a bundle that the file does not have yet, and return those.

    Raises:
        StatementFileError: with the reason, when the file cannot be read or written.
    """
    kept = parse_bundle(read_dissents(path)).approvals
    digests = {dissent.digest for dissent in kept}
    new = {
        approval.digest: approval
        for approval in bundle.approvals
        if approval.statement.predicate.decision == "dissent"
        and approval.digest not in digests
        and trust.has_signed(approval.envelope)
    }
    if new:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StatementFileError(f"cannot be written: {error.strerror}") from error
        write_bundle(path, [dissent.envelope for dissent in (*kept, *new.values())], mode=0o600)
    return list(new.values())
