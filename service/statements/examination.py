"""The judgement about a bundle: whether it says that these files may serve now, and if not, why not.

All that is unknown or cannot be read is a reason against it. Of several statements about these files the newest that
holds counts, so that deleting one never helps.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tightrope.service.statements.bundle import Bundle, SignedStatement
from tightrope.service.statements.opinions import (
    HeldOpinion,
    held_opinions,
    missing_approvals,
    objections,
    unverified_roles,
)
from tightrope.service.statements.qualification import (
    NO_DIGEST,
    QualificationCell,
    QualificationResult,
    QualificationStatement,
)
from tightrope.service.statements.text import one_line, short_share
from tightrope.service.statements.trust import Trust

SUBJECT_ROLES = ("compressed", "baseline")
"""The roles of a statement's subjects, in their order."""

QUALIFIED, ACCEPTABLE = "qualified", ("breach", "insufficient")

NO_TRUST = Trust({}, {})
"""Without keys only digests, verdict and dates are checked."""


@dataclass(frozen=True, slots=True)
class Examination:
    """``reasons`` against serving, a line each; none if the statement holds. ``signed`` is the statement that was
    judged. ``withheld`` are the scopes that the baseline must serve: those that the statement names, and those of cells
    that did not pass, unless as many approvals as are needed say to serve them. ``opinions`` are those in force.
    """

    reasons: Sequence[str]
    signed: SignedStatement[QualificationStatement] | None = None
    withheld: frozenset[str] = frozenset()
    opinions: Sequence[HeldOpinion] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against serving."""
        return not self.reasons


def examine(bundle: Bundle, expected: Mapping[str, str], trust: Trust, now: datetime) -> Examination:
    """Judge a bundle for the models whose digests are ``expected`` by role (compressed, baseline), at a time."""
    newest = sorted(bundle.qualifications, key=lambda signed: signed.statement.predicate.made.at, reverse=True)
    matching = [signed for signed in newest if not mismatches(signed.statement, expected)]
    if not matching:
        return Examination([*_reasons_without_statement(bundle, newest, expected)])
    general = [
        f"line {each.line} is signed, but cannot be read: {one_line(each.reason)}"
        for each in bundle.unreadable
        if trust.has_signed(each.envelope)
    ]
    found = [_examine_one(bundle, signed, trust, now, general) for signed in matching]
    return next((examination for examination in found if examination.holds), found[0])


def mismatches(statement: QualificationStatement, expected: Mapping[str, str]) -> list[str]:
    """A line for each role whose digest is not that of the statement's subject."""
    subjects = dict(zip(SUBJECT_ROLES, statement.subject, strict=True))
    found = {role: subject.digest.sha256 for role, subject in subjects.items()}
    return [
        f"has no digest of {role}, whose server tells no version: write its version, and qualify again"
        if digest == NO_DIGEST
        else f"is for {digest[:8]}.., but {role} is {expected.get(role, 'unknown')[:8]}.."
        for role, digest in found.items()
        if digest == NO_DIGEST or digest != expected.get(role)
    ]


def open_cells(result: QualificationResult) -> list[QualificationCell]:
    """The cells that did not pass, outside the withheld scopes: an approval must accept each of them."""
    return [cell for cell in result.cells if cell.outcome != "pass" and cell.scope not in result.withheld]


def _reasons_without_statement(
    bundle: Bundle, newest: Sequence[SignedStatement[QualificationStatement]], expected: Mapping[str, str]
) -> Iterator[str]:
    for unreadable in bundle.unreadable:
        yield f"line {unreadable.line} cannot be read: {one_line(unreadable.reason)}"
    if newest:
        yield from mismatches(newest[0].statement, expected)
    elif not bundle.unreadable:
        yield "has no qualification statement"


def _examine_one(
    bundle: Bundle,
    signed: SignedStatement[QualificationStatement],
    trust: Trust,
    now: datetime,
    general: Sequence[str],
) -> Examination:
    predicate = signed.statement.predicate
    about = [each for each in bundle.approvals if each.statement.subject[0].digest.sha256 == signed.digest]
    held = list(held_opinions(about, trust))
    cells = [cell.key for cell in open_cells(predicate.result)]
    missing = [*missing_approvals(held, trust, cells, unverified_roles(about, trust))]
    is_accepted = bool(cells and trust.needed) and not missing and predicate.result.verdict in ACCEPTABLE
    reasons = [
        *general,
        *([] if is_accepted else _verdict_reasons(predicate.result)),
        *missing,
        *objections(held, {each.digest for each in about}),
        *_expiry_reasons(predicate.made.expires, now),
    ]
    serving = [each for each in held if each.opinion.serve]
    is_served = is_accepted and not any(missing_approvals(serving, trust, cells, ()))
    accepted = {cell.scope for cell in open_cells(predicate.result)} if not is_served else set()
    return Examination(reasons, signed, frozenset({*predicate.result.withheld, *accepted}), held)


def _verdict_reasons(result: QualificationResult) -> Iterator[str]:
    cells = open_cells(result)
    if result.verdict == QUALIFIED and not result.cells:
        yield "verdict qualified without a cell"
    if result.verdict == QUALIFIED and not cells:
        return
    order = ("breach", "error", "insufficient", "unseen")
    first = min(cells, key=lambda cell: order.index(cell.outcome), default=None)
    more = f" (and {len(cells) - 1} more)" if len(cells) > 1 else ""
    yield f"verdict {result.verdict}: {_described(first) if first else 'no cell says why'}{more}"


def _described(cell: QualificationCell) -> str:
    name = f"{one_line(cell.scope)} {one_line(cell.criterion)}"
    if cell.outcome == "breach" and cell.seen is not None and cell.limit is not None:
        least = f" (at least {short_share(cell.least)})" if cell.least is not None else ""
        return f"{name} {short_share(cell.seen)}{least} over {short_share(cell.limit)}"
    return f"{name} is {cell.outcome}{': ' + one_line(cell.note) if cell.note else ''}"


def _expiry_reasons(expires: datetime, now: datetime) -> Iterator[str]:
    if now >= expires:
        yield f"expired on {expires.astimezone(UTC).date()}"
