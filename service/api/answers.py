"""The JSON answers of the API as types: the routes build them, and `openapi.json` is derived from them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, NotRequired, TypedDict

from fastapi.responses import Response
from msgspec import Meta, json

from tightrope.monitors.records import Event
from tightrope.monitors.reliability.curves import ScopeReliability
from tightrope.monitors.safemode import ModeState
from tightrope.monitors.status.groups import GroupStatus
from tightrope.monitors.status.progress import JudgementProgress
from tightrope.monitors.status.reliability import BinSource
from tightrope.monitors.verdict import Verdict
from tightrope.service.adapters.review.row_presenter import RowDocument
from tightrope.service.adapters.review.status_documents import ReviewStatus
from tightrope.service.api.cost.documents import CostDays, ModelCost
from tightrope.service.api.incidents.documents import IncidentDocument, IncidentList, StatementAnswer
from tightrope.service.api.overview.documents import Overview
from tightrope.service.api.week.documents import DecisionTaken, WeekAnswer

Report = Annotated[str | None, Meta(description="The path of the newest drift report, if there is one")]
UNKNOWN_STATE = "unknown"
"""The state of a scope until the modes were read."""

ScopeState = Annotated[
    str,
    Meta(
        description="`unknown` until the modes were read",
        extra_json_schema={"enum": [*map(str, ModeState), UNKNOWN_STATE]},
    ),
]


class Error(TypedDict):
    """The body of every answer that is an error."""

    error: Annotated[str, Meta(description="One line: what is wrong, and what would be right")]


class ServerMetadata(TypedDict):
    """The server's name, its version, and the extensions of the protocol that it has."""

    name: str
    version: str
    extensions: list[str]


class Liveness(TypedDict):
    """The process answers."""

    live: bool


class Readiness(TypedDict):
    """Whether this replica may receive requests."""

    ready: bool
    models: NotRequired[
        Annotated[
            dict[str, str], Meta(description="Models whose baseline answers for another reason than modes: the reason")
        ]
    ]


class TensorMetadata(TypedDict):
    """A tensor that a model takes or gives."""

    name: str
    datatype: str
    shape: Annotated[list[int], Meta(description="The length of each axis; -1 is any length")]


class ModelMetadata(TypedDict):
    """A model's versions, inputs and outputs."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ModelReadiness(TypedDict):
    """The model is served here."""

    name: str
    ready: bool


class QualificationStatus(TypedDict):
    """The statement of qualification by which a model serves."""

    file: str | None
    statement: Annotated[str, Meta(description="The digest of the statement; empty if none is about these files")]
    verdict: Annotated[str, Meta(description="The statement's verdict; `unqualified` if the model may not serve")]
    expires: Annotated[str | None, Meta(description="The time of its expiry")]
    withheld: Annotated[list[str], Meta(description="Scopes that it does not prove: they began in safe mode")]
    objections: Annotated[list[str], Meta(description="The reasons for which the compressed model may not serve")]


class ModelSummary(TypedDict):
    """A model's artefacts and the modes of its scopes."""

    name: str
    version: str
    mode: Annotated[Literal["armed", "advisory"], Meta(description="`advisory`: breaches move no traffic")]
    baseline_digest: str
    compressed_digest: str
    plan: Annotated[str, Meta(description="A digest of what is watched; the judges of a gateway have the same")]
    epoch: Annotated[int, Meta(description="The number of the latest modes; -1 until some were read")]
    safe: Annotated[list[str], Meta(description="Scopes that the baseline answers")]
    asked: Annotated[
        list[int],
        Meta(
            description="If not empty: the baseline answers only where the compressed model "
            "says one of these classes, by number"
        ),
    ]
    following: Annotated[list[str], Meta(description="Values that are in safe mode because another value is")]
    always_baseline: Annotated[list[str], Meta(description="Scopes that the configuration gives to the baseline")]
    blind: Annotated[str | None, Meta(description="The reason for which the gateway itself sends all to the baseline")]
    qualification: Annotated[QualificationStatus | None, Meta(description="`null` if none is asked for")]
    scopes: dict[str, ScopeState]
    added: Annotated[dict[str, str], Meta(description="Found groups that are watched as scopes, each in words")]
    report: Report
    requests: Annotated[str, Meta(description="Whether requests share runs, and the reason if they do not")]


class ModelList(TypedDict):
    """Every model that is served."""

    models: list[ModelSummary]


class SamplingStatus(TypedDict):
    """The rates of sampling, and the number of samples kept and dropped since the start."""

    rate: float
    floors: dict[str, float]
    kept: int
    dropped: int


class ModelStatus(ModelSummary):
    """A model's artefacts and modes, its sampling, and how far its judgement is."""

    sampling: SamplingStatus
    judged: JudgementProgress


class OrderResult(ModelSummary):
    """A model after an order."""

    order: Annotated[str, Meta(description="The id of the order, as in the audit trail")]
    actor: Annotated[str, Meta(description="The name under which it is on record")]
    confirmed: Annotated[bool, Meta(description="false: no judge answered in time; this replica carries it out alone")]


class VerdictList(TypedDict):
    """The verdicts of a model."""

    model: str
    verdicts: list[Verdict]


class GroupList(TypedDict):
    """The undeclared groups of a model in which harm is found."""

    model: str
    groups: list[GroupStatus]


class ReliabilityAnswer(TypedDict):
    """The reliability curves of both models, by scope."""

    model: str
    bins: Annotated[BinSource, Meta(description="`golden`: quintiles of the baseline's confidence on the golden rows")]
    dependent: Annotated[bool, Meta(description="Rows depend on each other, so that the curves have no bands")]
    scopes: list[ScopeReliability]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEntry(Event):
    """An event of the audit trail, with its number, its sentence, the path of its model's newest drift report, and the
    id of the incident in which it lies, if one is recorded.
    """

    seq: int
    text: str
    report: str | None
    incident: str | None


class EventPage(TypedDict):
    """A page of the audit trail."""

    events: list[EventEntry]


class RowToLabel(TypedDict):
    """A row that was drawn for a label: its request's id, its number there, its time, and what to send back."""

    id: str
    row: int
    time: Annotated[float, Meta(description="Event time, in seconds since the epoch")]
    probability: Annotated[float, Meta(description="The probability of the draw: send it back with the label")]


class LabelList(TypedDict):
    """Rows of a model that wait for their label, oldest first."""

    model: str
    rows: list[RowToLabel]


class Accepted(TypedDict):
    """The number of records that were taken."""

    accepted: int


class Deployed(TypedDict):
    """The digests of both artefacts that serve now."""

    name: str
    baseline_digest: str
    compressed_digest: str
    kept: Annotated[bool, Meta(description="Whether the deployment outlives a restart")]


class ReportEntry(TypedDict):
    """One drift report."""

    name: Annotated[str, Meta(description="The time of the report, e.g. 20260131T235959Z")]
    time: Annotated[datetime, Meta(description="The time of the report, UTC")]
    link: Annotated[str, Meta(description="The path of its page")]
    figures: Annotated[dict[str, object], Meta(description="Its figures, by column and by scope")]


class ReportList(TypedDict):
    """A model's drift reports, newest first."""

    model: str
    reports: list[ReportEntry]


class ReviewModel(TypedDict):
    """A model that the reviewer is asked about, with the number of rows that wait."""

    name: str
    waiting: int


class ReviewModels(TypedDict):
    """The models that the reviewer is asked about."""

    models: list[ReviewModel]


class ShownRow(TypedDict):
    """A row to review: two answers in an order that a coin decided, and the input for people. Which model gave which
    answer is not in it, nor how sure it was, nor any group of the row.
    """

    id: str
    a: str
    b: str
    same: Annotated[bool, Meta(description="Both answers are the same")]
    input: RowDocument


class NextReview(TypedDict):
    """The next row for the reviewer; null if none waits."""

    model: str
    waiting: int
    classes: Annotated[list[str], Meta(description="The titles of the classes; empty if they are not known")]
    row: ShownRow | None


class ReviewTaken(TypedDict):
    """An answer was taken. It becomes a label once it cannot be taken back any more."""

    id: str
    label: Annotated[int | None, Meta(description="The true class that follows from the answer; null if none does")]


ANSWERS: tuple[type, ...] = (
    CostDays,
    ModelCost,
    Error,
    ServerMetadata,
    Liveness,
    Readiness,
    ModelMetadata,
    ModelReadiness,
    ModelList,
    ModelStatus,
    OrderResult,
    VerdictList,
    GroupList,
    ReliabilityAnswer,
    EventPage,
    LabelList,
    Accepted,
    Deployed,
    ReportList,
    Overview,
    ReviewModels,
    NextReview,
    ReviewTaken,
    ReviewStatus,
    WeekAnswer,
    DecisionTaken,
    IncidentList,
    StatementAnswer,
    IncidentDocument,
)
"""Every kind of JSON answer."""


def json_response(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer; a figure that is no finite number becomes null."""
    return Response(json.encode(value), status, headers, "application/json")
