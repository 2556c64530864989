from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.statements import (
    ANA,
    BASELINE,
    BO,
    BREACH,
    BREACH_KEY,
    CY,
    EXPECTED,
    MADE,
    NOW,
    PASSED,
    TRUST,
    UNTOLD,
    UNTOLD_KEY,
    bundle_of,
    sample_approvals,
    sample_opinion,
    sample_statement,
)
from tightrope.service.statements.envelope import Envelope
from tightrope.service.statements.examination import NO_TRUST, Examination, examine, mismatches
from tightrope.service.statements.qualification import NO_DIGEST, SubjectDigest
from tightrope.service.statements.trust import Trust

STATEMENT = sample_statement()
APPROVED = [STATEMENT, *sample_approvals(STATEMENT)]
BREACHED = sample_statement("breach", [PASSED, BREACH, UNTOLD])
ACCEPTED = {BREACH_KEY: "the baseline serves them", UNTOLD_KEY: "few"}
BREACH_LINE = "verdict breach: residence=group_quarters disagreement .539 (at least .481) over .10 (and 1 more)"


def judge(*envelopes: Envelope, trust: Trust = TRUST, now: datetime = NOW) -> Examination:
    """Examine a bundle of these envelopes for the models of the samples."""
    return examine(bundle_of(*envelopes), EXPECTED, trust, now)


def reasons(*envelopes: Envelope, trust: Trust = TRUST, now: datetime = NOW) -> Sequence[str]:
    """The reasons against them."""
    return judge(*envelopes, trust=trust, now=now).reasons


def test_approved_statement_holds() -> None:
    """The envelope that holds is given back."""
    examination = judge(*APPROVED)
    assert examination.holds
    assert examination.signed is not None
    assert examination.signed.envelope == STATEMENT


def test_without_keys_no_approval_is_needed() -> None:
    """Then only digests, verdict and dates are checked."""
    assert reasons(STATEMENT, trust=NO_TRUST) == []


def test_nothing_holds_without_a_statement() -> None:
    """Neither no line nor approvals alone."""
    assert reasons() == ["has no qualification statement"]
    assert reasons(*APPROVED[1:]) == ["has no qualification statement"]


def test_each_role_must_approve() -> None:
    """A line for each role."""
    assert reasons(STATEMENT) == [
        "is not approved by a safety-reviewer (0 of 1)",
        "is not approved by an owner (0 of 1)",
    ]


@pytest.mark.parametrize("role", ["compressed", "baseline"])
def test_other_files_have_a_line(role: str) -> None:
    """It names both digests."""
    expected = EXPECTED | {role: "d8" * 32}
    (line,) = examine(bundle_of(*APPROVED), expected, TRUST, NOW).reasons
    assert line == f"is for {EXPECTED[role][:8]}.., but {role} is d8d8d8d8.."


def test_model_without_a_digest_fits_nothing() -> None:
    """Not even one that has none."""
    statement = bundle_of(STATEMENT).qualifications[0].statement
    compressed, baseline = statement.subject
    other = msgspec.structs.replace(baseline, digest=SubjectDigest(sha256=NO_DIGEST))
    unnamed = msgspec.structs.replace(statement, subject=[compressed, other])
    assert mismatches(unnamed, EXPECTED | {"baseline": NO_DIGEST}) == [
        "has no digest of baseline, whose server tells no version: write its version, and qualify again"
    ]


def test_unknown_digest_is_a_reason() -> None:
    """Not knowing is no match."""
    assert examine(bundle_of(*APPROVED), {"baseline": BASELINE}, TRUST, NOW).reasons == [
        "is for 6b6b6b6b.., but compressed is unknown.."
    ]


def test_approval_of_another_payload_counts_nothing() -> None:
    """One second in it is another payload."""
    other = sample_statement(made=MADE - timedelta(days=1))
    assert len(reasons(STATEMENT, *sample_approvals(other))) == 2


def test_statement_ends_at_its_second() -> None:
    """The date is that of UTC."""
    expires = MADE + timedelta(days=180)
    assert reasons(*APPROVED, now=expires - timedelta(seconds=1)) == []
    assert reasons(*APPROVED, now=expires) == ["expired on 2027-05-27"]
    assert reasons(*APPROVED, now=datetime(2027, 6, 1, tzinfo=UTC)) == ["expired on 2027-05-27"]


def test_breach_is_named_with_its_worst_cell() -> None:
    """The rate seen, its bound and the limit."""
    assert reasons(BREACHED, trust=NO_TRUST) == [BREACH_LINE]


def test_verdict_that_could_not_tell_is_named() -> None:
    """It says how many rows are missing."""
    line = "verdict insufficient: race=institution disagreement is insufficient: about 120 more rows"
    assert reasons(sample_statement("insufficient", [PASSED, UNTOLD]), trust=NO_TRUST) == [line]


def test_approved_breach_needs_every_cell_accepted() -> None:
    """By every approval that counts."""
    assert BREACH_LINE in reasons(BREACHED, *sample_approvals(BREACHED))
    assert BREACH_LINE in reasons(BREACHED, *sample_approvals(BREACHED, accept={BREACH_KEY: "r"}))
    assert reasons(BREACHED, *sample_approvals(BREACHED, accept=ACCEPTED)) == []


def test_accepted_scopes_are_withheld_unless_enough_approvals_serve_them() -> None:
    """Enough in every role; another approval that says nothing about it changes nothing."""
    scopes = {"residence=group_quarters", "race=institution"}
    assert judge(BREACHED, *sample_approvals(BREACHED, accept=ACCEPTED)).withheld == scopes
    one = sample_opinion(BREACHED, ANA, "safety-reviewer", accept=ACCEPTED, serve=True)
    other = sample_opinion(BREACHED, BO, "owner", accept=ACCEPTED)
    assert judge(BREACHED, one, other).withheld == scopes
    served = sample_approvals(BREACHED, accept=ACCEPTED, serve=True)
    assert judge(BREACHED, *served).withheld == set()
    assert judge(BREACHED, *served, other).withheld == set()


def test_verdict_of_what_could_not_be_measured_cannot_be_accepted() -> None:
    """There is nothing to accept."""
    cell = {**UNTOLD, "outcome": "error", "note": "not measured: time"}
    statement = sample_statement("error", [cell])
    assert reasons(statement, *sample_approvals(statement, accept={UNTOLD_KEY: "r"})) == [
        "verdict error: race=institution disagreement is error: not measured: time"
    ]


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        ([], "verdict qualified without a cell"),
        ([PASSED, BREACH], BREACH_LINE.removesuffix(" (and 1 more)").replace("breach", "qualified")),
    ],
)
def test_qualified_without_proof_is_no_proof(cells: list[dict[str, object]], line: str) -> None:
    """Cells decide, not the word."""
    statement = sample_statement("qualified", cells)
    assert reasons(statement, *sample_approvals(statement, accept={BREACH_KEY: "r"})) == [line]


def test_breach_without_a_cell_cannot_be_accepted_by_nothing() -> None:
    """An approval would accept what is named nowhere."""
    statement = sample_statement("breach", [PASSED])
    assert "verdict breach: no cell says why" in reasons(statement, trust=NO_TRUST)
    assert "verdict breach: no cell says why" in reasons(statement, *sample_approvals(statement))


def test_withheld_scopes_need_no_proof() -> None:
    """The baseline serves them."""
    document = msgspec.json.decode(sample_statement("qualified", [PASSED, BREACH]).payload)
    document["predicate"]["result"]["withheld"] = ["residence=group_quarters"]
    examination = judge(Envelope(msgspec.json.encode(document)), trust=NO_TRUST)
    assert (examination.reasons, examination.withheld) == ([], {"residence=group_quarters"})


def test_dissent_blocks_an_approved_statement() -> None:
    """Before all approvals."""
    no = sample_opinion(STATEMENT, CY, "owner", "dissent", note="not for them")
    assert reasons(*APPROVED, no) == ['cy dissents: "not for them" (owner)']


def test_unreadable_statement_is_the_reason_if_there_is_no_other() -> None:
    """With its line and what is wrong."""
    payload = STATEMENT.payload.replace(b'"seed":1', b'"seed":1,"more":2')
    (line,) = reasons(Envelope(payload))
    assert line.startswith("line 1 cannot be read: Object contains unknown field `more`")


def test_signed_line_that_cannot_be_read_is_a_reason() -> None:
    """A dissent of a later version must not be passed over; without a signature of a key it says nothing."""
    payload = sample_opinion(STATEMENT, CY, "owner", "dissent").payload.replace(b'"note":', b'"why":1,"note":')
    assert reasons(*APPROVED, Envelope(payload)) == []
    (line,) = reasons(*APPROVED, Envelope(payload, (CY.sign(payload),)))
    assert line.startswith("line 4 is signed, but cannot be read: Object contains unknown field `why`")


def test_newest_statement_that_holds_counts() -> None:
    """A newer one without approvals does not end an older one."""
    older = sample_statement(made=MADE - timedelta(days=30))
    old = [older, *sample_approvals(older)]
    examination = judge(*old, STATEMENT)
    assert examination.signed is not None
    assert (examination.signed.envelope, examination.holds) == (older, True)
    both = judge(*old, *APPROVED)
    assert both.signed is not None
    assert both.signed.envelope == STATEMENT


def opinions() -> list[Envelope]:
    """A history: an approval, a dissent, its answer, and an approval by the reviewer, each seen by the next."""
    first = sample_opinion(STATEMENT, BO, "owner")
    no = sample_opinion(STATEMENT, CY, "owner", "dissent", seen=[first])
    answer = sample_opinion(STATEMENT, CY, "owner", seen=[first, no], note="mended")
    return [first, no, answer, sample_opinion(STATEMENT, ANA, "safety-reviewer", seen=[first, no, answer])]


def test_no_deleted_line_helps() -> None:
    """All lines are needed: approvals are counted, and each opinion names those before it."""
    history = opinions()
    lines = [STATEMENT, *history]
    assert reasons(*lines) == []
    for count in range(len(lines)):
        assert all(reasons(*subset) for subset in combinations(lines, count))


@given(st.permutations([*APPROVED, *opinions()[1:2]]))
def test_order_of_lines_does_not_matter(envelopes: list[Envelope]) -> None:
    """Any order of them has one judgement."""
    assert reasons(*envelopes) == ['cy dissents: "" (owner)']
