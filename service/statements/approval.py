"""An approval of a qualification statement, or a dissent from it: an in-toto statement about the payload."""

from typing import Annotated, Final, Literal

from msgspec import Meta, field

from tightrope.service.statements.qualification import (
    MAX_STATEMENT_ENTRIES,
    STATEMENT_TYPE,
    LongText,
    Moment,
    Sha256,
    ShortText,
    SparseRecord,
    StatementSubject,
    StrictRecord,
)

APPROVAL_TYPE: Final = "urn:tightrope:approval:v1"


class ApprovalPredicate(SparseRecord, frozen=True):
    """An opinion in a role. ``accept`` gives a reason for each cell that did not pass, by `QualificationCell.key`; its
    scope is withheld unless ``serve``. ``seen`` are the digests of the opinions that its writer saw: one of them that
    is missing was deleted.
    """

    role: ShortText
    decision: Literal["approve", "dissent"]
    note: LongText
    at: Moment
    accept: Annotated[dict[str, LongText], Meta(max_length=MAX_STATEMENT_ENTRIES)] = field(default_factory=dict)
    serve: bool = False
    seen: Annotated[list[Sha256], Meta(max_length=MAX_STATEMENT_ENTRIES)] = field(default_factory=list)


class ApprovalStatement(StrictRecord, frozen=True, rename={"type_": "_type", "predicate_type": "predicateType"}):
    """The whole payload. The ``subject`` is the payload of the qualification statement."""

    subject: Annotated[list[StatementSubject], Meta(min_length=1, max_length=1)]
    predicate: ApprovalPredicate
    type_: Literal["https://in-toto.io/Statement/v1"] = STATEMENT_TYPE
    predicate_type: Literal["urn:tightrope:approval:v1"] = APPROVAL_TYPE
