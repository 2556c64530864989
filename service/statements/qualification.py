"""The qualification statement: the limits within which a compressed model was proved to keep its baseline's behaviour,
for these very files. An in-toto statement whose predicate has this project's type.

Every field is checked, and an unknown one is refused: what a reader does not understand, it must not accept.

Sources: in-toto Attestation Framework v1 (`statement.md`).
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
QUALIFICATION_TYPE: Final = "urn:tightrope:qualification:v1"

NO_DIGEST: Final = "0" * 64
"""The digest in the place of one that is not known: it fits no model."""

MAX_CELLS = 100_000
MAX_STATEMENT_ENTRIES = 10_000
MAX_TEXT = 10_000

ShortText: TypeAlias = Annotated[str, Meta(max_length=1000)]
LongText: TypeAlias = Annotated[str, Meta(max_length=MAX_TEXT)]
Sha256: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
PrefixedSha256: TypeAlias = Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
ProbabilityValue: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]
Measurements: TypeAlias = dict[str, Any]


class StrictRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The base of the records of a statement."""


class SparseRecord(StrictRecord, frozen=True, omit_defaults=True, kw_only=True):
    """A record whose fields are absent where they have their default."""


class SubjectDigest(StrictRecord, frozen=True):
    """The digest of a subject."""

    sha256: Sha256


class StatementSubject(StrictRecord, frozen=True):
    """A file that a statement is about, or, for a model of several files, their joined digest. A model on another
    server has the digest of its address, name and version, and `NO_DIGEST` without a version.
    """

    name: ShortText
    digest: SubjectDigest


class LimitRecord(StrictRecord, frozen=True):
    """A limit with what had to be shown about it."""

    limit: float
    proof: Literal["within", "not_over"] = "within"


class CriterionRecord(SparseRecord, frozen=True):
    """The limits of one criterion, as `CriterionSection` of the configuration describes them."""

    model: float | LimitRecord | None = None
    subgroups: float | LimitRecord | None = None
    classes: float | LimitRecord | None = None
    at: float | None = None
    ratio: float | None = None
    most: float | None = None


class RefusalRecord(StrictRecord, frozen=True):
    """The refusal with which the models were judged."""

    score: ShortText
    threshold: float
    compressed_threshold: float | None = None


class AttemptRecord(StrictRecord, frozen=True):
    """An earlier qualification by the same rows. ``artefacts`` are the digests of its models."""

    criteria_digest: PrefixedSha256
    artefacts: list[Sha256]
    verdict: ShortText


class SamplesRecord(StrictRecord, frozen=True):
    """Where kept rows of traffic came from: those that were answered from ``since`` until ``until``. Of the rows that
    were ``kept`` in that time, some were ``refused``, by reason; ``of_model`` of the others judge the whole model, the
    rest its subgroups alone; ``labels`` have a label.
    """

    since: Moment
    until: Moment
    kept: Count
    refused: Annotated[dict[ShortText, Count], Meta(max_length=MAX_STATEMENT_ENTRIES)]
    of_model: Count
    labels: Count


class DataRecord(StrictRecord, frozen=True):
    """The rows: ``chosen_on`` of them chose what is judged, ``judged_on`` were judged. Kept rows of traffic have
    ``samples``.
    """

    sha256: Sha256
    rows: Count
    chosen_on: Count
    judged_on: Count
    labels: bool
    attempts: Annotated[list[AttemptRecord], Meta(max_length=MAX_STATEMENT_ENTRIES)] = msgspec.field(
        default_factory=list
    )
    samples: SamplesRecord | UnsetType = UNSET


class QualificationCell(SparseRecord, frozen=True):
    """One criterion in one scope. ``bound`` is the upper bound of what was ``seen``, ``least`` the lower one. ``note``
    says what is missing where nothing could be told.
    """

    criterion: ShortText
    scope: ShortText
    outcome: Literal["pass", "breach", "insufficient", "unseen", "error"]
    rows: Count = 0
    hits: Count | None = None
    seen: float | None = None
    least: float | None = None
    bound: float | None = None
    limit: float | None = None
    p_within: ProbabilityValue | None = None
    p_over: ProbabilityValue | None = None
    note: LongText = ""

    @property
    def key(self) -> str:
        """The name by which an approval accepts this cell."""
        return f"{self.criterion}:{self.scope}"


class GoldenRecord(StrictRecord, frozen=True):
    """Rows and the answers of each role to them, in base64; ``bound`` is how far another host's may be away."""

    rows: str | dict[str, Any]
    answers: dict[str, str]
    bound: dict[str, Annotated[float, Meta(ge=0)]]


class QualificationResult(StrictRecord, frozen=True):
    """The verdict and the cells it rests on. ``covers`` is the share of rows outside the withheld scopes."""

    verdict: Literal["qualified", "breach", "insufficient", "error"]
    withheld: Annotated[list[ShortText], Meta(max_length=MAX_STATEMENT_ENTRIES)]
    covers: ProbabilityValue
    seed: int
    cells: Annotated[list[QualificationCell], Meta(max_length=MAX_CELLS)]
    clear_margin: float | None = None
    golden: GoldenRecord | None = None


class MeasuredRecord(SparseRecord, frozen=True):
    """The host and the costs that were measured on it: differs from run to run."""

    host_class: ShortText
    latency: Measurements = msgspec.field(default_factory=dict)
    file_bytes: Measurements = msgspec.field(default_factory=dict)
    peak_bytes: Measurements = msgspec.field(default_factory=dict)
    cold_start_seconds: Measurements = msgspec.field(default_factory=dict)
    energy: Measurements = msgspec.field(default_factory=dict)
    scenarios: Measurements = msgspec.field(default_factory=dict)


class MadeRecord(StrictRecord, frozen=True):
    """The times of a statement, and the program that made it."""

    at: Moment
    expires: Moment
    by: ShortText
    manifest_sha256: Sha256 | UnsetType | None = UNSET


class QualificationPredicate(StrictRecord, frozen=True):
    """The criteria, the rows they were judged on, and the result."""

    objective: LongText
    owner: ShortText
    criteria_digest: PrefixedSha256
    confidence: Annotated[float, Meta(gt=0, lt=1)]
    criteria: Annotated[dict[str, CriterionRecord], Meta(max_length=MAX_STATEMENT_ENTRIES)]
    subgroups: Annotated[dict[str, Any], Meta(max_length=MAX_STATEMENT_ENTRIES)]
    refusal: RefusalRecord | None
    data: DataRecord
    result: QualificationResult
    measured: MeasuredRecord
    made: MadeRecord


class QualificationStatement(StrictRecord, frozen=True, rename={"type_": "_type", "predicate_type": "predicateType"}):
    """The whole payload. ``subject`` is the compressed model, then its baseline."""

    subject: Annotated[list[StatementSubject], Meta(min_length=2, max_length=2)]
    predicate: QualificationPredicate
    type_: Literal["https://in-toto.io/Statement/v1"] = STATEMENT_TYPE
    predicate_type: Literal["urn:tightrope:qualification:v1"] = QUALIFICATION_TYPE
