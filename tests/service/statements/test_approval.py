import msgspec
import pytest

from tests.support.statements import ANA, BREACH_KEY, sample_opinion, sample_statement
from tightrope.service.statements.approval import ApprovalStatement

STATEMENT = sample_statement()


def test_approval_is_read_and_fields_without_content_are_absent() -> None:
    """A plain approval has the four fields that people read."""
    payload = sample_opinion(STATEMENT, ANA, "owner").payload
    assert {*msgspec.json.decode(payload)["predicate"]} == {"role", "decision", "note", "at"}
    approval = msgspec.json.decode(payload, type=ApprovalStatement)
    assert (approval.predicate.accept, approval.predicate.seen, approval.predicate.serve) == ({}, [], False)


def test_accepted_cells_have_a_reason() -> None:
    """The reason stands beside the cell that it accepts."""
    payload = sample_opinion(STATEMENT, ANA, "owner", accept={BREACH_KEY: "served by hand"}).payload
    approval = msgspec.json.decode(payload, type=ApprovalStatement)
    assert approval.predicate.accept == {BREACH_KEY: "served by hand"}


@pytest.mark.parametrize("change", [{"decision": "maybe"}, {"seen": ["ab"]}, {"accept": {"a": 1}}, {"until": "later"}])
def test_unknown_decision_or_field_is_refused(change: dict[str, object]) -> None:
    """An opinion that is not understood must not count as an approval."""
    document = msgspec.json.decode(sample_opinion(STATEMENT, ANA, "owner").payload)
    document["predicate"] |= change
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(document, ApprovalStatement)
