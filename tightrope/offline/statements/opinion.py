"""`tightrope approve`: an opinion about a qualification statement, signed and added to its bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tightrope.service.errors import TightropeError
from tightrope.service.statements.approval import ApprovalPredicate, ApprovalStatement
from tightrope.service.statements.bundle import (
    Bundle,
    SignedStatement,
    StatementFileError,
    append_envelope,
    encode_statement,
    payload_digest,
    read_bundle,
)
from tightrope.service.statements.envelope import PAYLOAD_TYPE, Envelope, EnvelopeSignature
from tightrope.service.statements.examination import ACCEPTABLE, open_cells
from tightrope.service.statements.keys import NEEDS_SIGNED, has_extra
from tightrope.service.statements.qualification import QualificationStatement, StatementSubject, SubjectDigest
from tightrope.service.statements.text import one_line

PAYLOAD_NAME = "qualification.json"
"""The name of the statement's payload in the subject of an opinion."""

NAMED_CELLS = 5


class OpinionError(TightropeError):
    """An opinion cannot be signed; one line says why."""


@dataclass(frozen=True, slots=True)
class WrittenOpinion:
    """The opinion that was signed, by its digest, and the statement that it is about."""

    digest: str
    about: SignedStatement[QualificationStatement]
    opinion: ApprovalPredicate


def write_opinion(file: Path, key_file: Path, opinion: ApprovalPredicate, accepted: Sequence[str]) -> WrittenOpinion:
    """Sign an opinion about the newest statement in a bundle, and add it; ``accepted`` are texts "CELL=REASON".

    Raises:
        OpinionError: naming the file or the option.
        KeyFileError: naming the key's file.
    """
    if not has_extra():
        raise OpinionError(f"--key: {NEEDS_SIGNED}")
    from tightrope.service.adapters.attestation.ed25519 import load_private_key  # noqa: PLC0415 - an extra

    try:
        bundle = read_bundle(file)
        about = _newest(file, bundle)
        signed = _completed(opinion, about, bundle, accepted)
        key = load_private_key(key_file)
        subject = StatementSubject(name=PAYLOAD_NAME, digest=SubjectDigest(sha256=about.digest))
        payload = encode_statement(ApprovalStatement(subject=[subject], predicate=signed))
        signature = EnvelopeSignature(key.sign(payload, PAYLOAD_TYPE), key.keyid)
        append_envelope(file, Envelope(payload, (signature,)))
    except StatementFileError as error:
        raise OpinionError(f"{file}: {error}") from error
    return WrittenOpinion(payload_digest(payload), about, signed)


def new_opinion(role: str, note: str, now: datetime, *, dissents: bool, serve: bool) -> ApprovalPredicate:
    """An opinion at a time, in whole seconds."""
    at = now.replace(microsecond=0)
    return ApprovalPredicate(role=role, decision="dissent" if dissents else "approve", note=note, at=at, serve=serve)


def _newest(file: Path, bundle: Bundle) -> SignedStatement[QualificationStatement]:
    if bundle.qualifications:
        return max(bundle.qualifications, key=lambda signed: signed.statement.predicate.made.at)
    if bundle.unreadable:
        first = bundle.unreadable[0]
        raise OpinionError(f"{file}: line {first.line} cannot be read: {one_line(first.reason)}")
    raise OpinionError(f"{file}: has no qualification statement; give the bundle that `tightrope qualify` wrote")


def _completed(
    opinion: ApprovalPredicate,
    about: SignedStatement[QualificationStatement],
    bundle: Bundle,
    accepted: Sequence[str],
) -> ApprovalPredicate:
    """The opinion with the accepted cells, and the opinions that stand beside it."""
    seen = {each.digest for each in bundle.approvals if each.statement.subject[0].digest.sha256 == about.digest}
    result = about.statement.predicate.result
    keys = [cell.key for cell in open_cells(result)]
    accept = dict(_accepted_cell(text, keys) for text in accepted)
    if opinion.decision == "approve" and result.verdict not in ("qualified", *ACCEPTABLE):
        raise OpinionError(
            f"the verdict is {result.verdict}: something was not measured, so there is nothing to accept"
        )
    if opinion.decision == "approve" and (left := [key for key in keys if key not in accept]):
        raise OpinionError(f"the verdict is {result.verdict}; accept each cell that did not pass: {_advice(left)}")
    return ApprovalPredicate(
        role=opinion.role,
        decision=opinion.decision,
        note=opinion.note,
        at=opinion.at,
        accept=accept,
        serve=opinion.serve,
        seen=sorted(seen),
    )


def _advice(keys: Sequence[str]) -> str:
    more = f" (and {len(keys) - NAMED_CELLS} more)" if len(keys) > NAMED_CELLS else ""
    return ", ".join(f'--accept "{one_line(key)}=REASON"' for key in keys[:NAMED_CELLS]) + more


def _accepted_cell(text: str, keys: Sequence[str]) -> tuple[str, str]:
    """The cell and the reason. A cell's name may hold equals signs, so the names of the statement decide."""
    key = max((key for key in keys if text.startswith(f"{key}=")), key=len, default=None)
    if key is None:
        cells = ", ".join(map(one_line, keys[:NAMED_CELLS])) or "there is none"
        raise OpinionError(f"--accept: {one_line(text)!r} is no CELL=REASON; cells that did not pass: {cells}")
    reason = text.removeprefix(f"{key}=").strip()
    if not reason:
        raise OpinionError(f"--accept: {one_line(key)} has no reason after its last equals sign")
    return key, reason
