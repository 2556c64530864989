from tests.support.statements import ANA, BO, CY, DAN, SampleKey, bundle_of, sample_opinion, sample_statement
from tightrope.service.statements.envelope import Envelope
from tightrope.service.statements.opinions import (
    HeldOpinion,
    held_opinions,
    missing_approvals,
    objections,
    unverified_roles,
)
from tightrope.service.statements.trust import Trust

STATEMENT = sample_statement()
OWNERS = Trust({"owner": [ANA, BO, CY]}, {"owner": 2})


def held(*opinions: Envelope, trust: Trust = OWNERS) -> list[HeldOpinion]:
    """The opinions in force."""
    return list(held_opinions(bundle_of(*opinions).approvals, trust))


def missing(*opinions: Envelope, trust: Trust = OWNERS, cells: tuple[str, ...] = ()) -> list[str]:
    """The lines about missing approvals."""
    approvals = bundle_of(*opinions).approvals
    return [*missing_approvals(held(*opinions, trust=trust), trust, cells, unverified_roles(approvals, trust))]


def objected(*opinions: Envelope) -> list[str]:
    """The lines about dissents and deleted opinions."""
    digests = {approval.digest for approval in bundle_of(*opinions).approvals}
    return [*objections(held(*opinions), digests)]


def approve(key: SampleKey, *seen: Envelope, role: str = "owner", **changes: object) -> Envelope:
    """An approval after opinions that its writer saw."""
    return sample_opinion(STATEMENT, key, role, seen=seen, **changes)


def dissent(key: SampleKey, *seen: Envelope, note: str = "no") -> Envelope:
    """A dissent of an owner."""
    return sample_opinion(STATEMENT, key, "owner", "dissent", seen=seen, note=note)


def test_approvals_are_counted() -> None:
    """n of the keys, and more is as good."""
    assert missing() == ["is not approved by an owner (0 of 2)"]
    assert missing(approve(ANA)) == ["is not approved by an owner (1 of 2)"]
    assert missing(approve(ANA), approve(BO)) == []
    assert missing(approve(ANA), approve(BO), approve(CY)) == []


def test_key_that_approves_twice_counts_once() -> None:
    """Two notes of one person are one approval."""
    assert missing(approve(ANA), approve(ANA, note="again")) == ["is not approved by an owner (1 of 2)"]


def test_envelope_signed_by_two_counts_for_both() -> None:
    """DSSE allows several signatures over one payload."""
    first = approve(ANA)
    assert missing(Envelope(first.payload, (*first.signatures, BO.sign(first.payload)))) == []


def test_two_people_whose_files_have_one_name_are_two() -> None:
    """Keys are counted, not names."""
    trust = Trust({"owner": [SampleKey("ana"), BO]}, {"owner": 2})
    twins = [HeldOpinion(each.role, each.key, "ana", each.opinion) for each in held(approve(ANA), approve(BO))]
    assert [*missing_approvals(twins, trust, (), ())] == []


def test_signature_counts_in_a_role_of_its_key_only() -> None:
    """The role that the text names is not enough."""
    trust = Trust({"owner": [ANA], "safety-reviewer": [BO]}, {"owner": 1, "safety-reviewer": 1})
    assert missing(approve(BO), approve(BO, role="safety-reviewer"), trust=trust) == [
        "is not approved by an owner (0 of 1); an opinion in this role has no signature of its keys"
    ]


def test_unknown_key_and_unknown_role_count_nothing() -> None:
    """Neither is listed."""
    assert held(approve(DAN), approve(ANA, role="unheard-of")) == []


def test_approval_must_accept_every_cell() -> None:
    """One that leaves a cell out accepts something else."""
    full, half = {"a:x": "r", "b:y": "r"}, {"a:x": "r"}
    cells = ("a:x", "b:y")
    assert missing(approve(ANA, accept=full), approve(BO, accept=full), cells=cells) == []
    assert missing(approve(ANA, accept=full), approve(BO, accept=half), cells=cells) == [
        "is not approved by an owner (1 of 2); an approval does not accept b:y"
    ]


def test_dissent_blocks_with_its_note_and_role() -> None:
    """Two approvals do not outvote it."""
    opinions = approve(ANA), approve(BO), dissent(CY, note='harms "us"\nall')
    assert objected(*opinions) == ["cy dissents: \"harms 'us'\\nall\" (owner)"]


def test_dissent_is_answered_by_its_own_key_only() -> None:
    """The others cannot take it back."""
    no = dissent(CY)
    assert objected(no, approve(ANA, no)) == ['cy dissents: "no" (owner)']
    assert objected(no, approve(CY, no)) == []


def test_approval_of_before_does_not_answer_a_dissent() -> None:
    """Nor does a copy of it that is added again."""
    before = approve(CY)
    assert objected(before, dissent(CY, before), before) == ['cy dissents: "no" (owner)']


def test_dissent_after_an_approval_takes_it_back() -> None:
    """A key has one opinion."""
    before = approve(CY)
    assert missing(approve(ANA), before, dissent(CY, before)) == ["is not approved by an owner (1 of 2)"]


def test_deleted_dissent_that_was_seen_is_missed() -> None:
    """Each later opinion names it."""
    no = dissent(CY)
    assert objected(no, approve(CY, no)) == []
    (line,) = objected(approve(CY, no))
    assert line.startswith("an opinion that cy saw was deleted (")
    assert objected(approve(ANA, no)) != []
