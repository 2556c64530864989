"""The JSON of the overview as types; `openapi.json` is derived from them."""

from typing import Annotated, Literal, TypedDict

from msgspec import Meta

from tightrope.monitors.status.progress import NoiseCounts

Level = Annotated[
    Literal["ok", "note", "act", "blind"],
    Meta(description="`act`: a person must act; `blind`: nothing shows whether the small model is safe"),
]
ShareOrNull = Annotated[float | None, Meta(description="A share between 0 and 1; `null` if it is not known")]
RateRange = Annotated[list[float] | None, Meta(description="The ends of the 95 % interval, on the rate's side of zero")]
TimeOrNull = Annotated[float | None, Meta(description="In seconds since the epoch")]
AnsweringModel = Annotated[Literal["full", "small"], Meta(description="The model that answers: `full` is the baseline")]


class CheckEntry(TypedDict):
    """The finding of one monitor in a scope."""

    monitor: str
    title: str
    says: Annotated[str, Meta(description="The finding in words, with its range and its limit")]
    rate: Annotated[float | None, Meta(description="Signed, where the monitor watches a mean")]
    limit: float | None
    range: RateRange
    rows: Annotated[int, Meta(description="The compared rows behind the rate")]
    needed: Annotated[int | None, Meta(description="The fewest rows that a pass takes")]
    evidence: Annotated[float, Meta(description="As a share of what an alarm needs")]
    way_back: ShareOrNull
    range_since: Annotated[str | None, Meta(description="Since about which request it is so; `null` if unknown")]
    outcome: str
    note: str


class ScopeEntry(TypedDict):
    """A scope: the whole model, or a group of its requests."""

    scope: str
    title: str
    name: str
    attribute: str
    state: str
    held: Annotated[bool, Meta(description="An order of a person holds it")]
    own: Annotated[bool, Meta(description="It has a mode of its own: in safe mode, or held")]
    below: Annotated[bool, Meta(description="The full model answers it with the whole model, or with another group")]
    answers: AnsweringModel
    asked: Annotated[
        list[str], Meta(description="Classes of the whole model: the full one answers where the small one says one")
    ]
    since: TimeOrNull
    range_since: Annotated[str | None, Meta(description="Since about which request it is harmed, in words")]
    by: str | None
    why: str | None
    compared: int
    share: ShareOrNull
    requests_per_second: float | None
    monitor: Annotated[str | None, Meta(description="The monitor that is shown for the scope")]
    label: str
    rate: float | None
    limit: float | None
    range: RateRange
    says: str
    evidence: Annotated[float, Meta(description="The most that any monitor has, as a share of what an alarm needs")]
    way_back: Annotated[float | None, Meta(description="The share of the proof of a return that is in")]
    returns_below: Annotated[float | None, Meta(description="The rate below which it can return")]
    returns: Annotated[bool | None, Meta(description="Whether a return is projected; `null` if that is not known")]
    returns_in_seconds: float | None
    stuck: Annotated[bool, Meta(description="It will not return by itself")]
    flaps: int
    unseen: Annotated[list[int] | None, Meta(description="[compared rows, rows needed] where they are too few")]
    case: Annotated[int | None, Meta(description="The `seq` of the event that moved it")]
    checks: Annotated[list[CheckEntry], Meta(description="Empty beyond the worst groups: `verdicts?scope=` has them")]
    worst: Annotated[float, Meta(description="The order of groups: the larger, the worse")]


class ArtefactEntry(TypedDict):
    """An artefact that serves."""

    digest: str
    since: TimeOrNull


class TrafficEntry(TypedDict):
    """The requests that this gateway answers a second."""

    requests_per_second: float | None
    full_per_second: float | None
    full_share: ShareOrNull


class PartEntry(TypedDict):
    """A part of the shadow: what waits for it, and since when it is silent."""

    waiting: int
    last: TimeOrNull
    silent_seconds: float
    ok: bool


class SightEntry(TypedDict):
    """The sight of the requests of a model."""

    sampled_share: float
    dropped: int
    compared: int
    worker: PartEntry
    judge: PartEntry
    blind_after_seconds: Annotated[float | None, Meta(description="`null` if the full model never takes over for it")]
    baseline_contradictions: NoiseCounts
    dependent: bool


class UnseenEntry(TypedDict):
    """A group with too few compared answers for a word on it."""

    scope: str
    title: str
    rows: int
    needed: int


class FoundEntry(TypedDict):
    """A harmed group that is not declared."""

    title: str
    says: str
    rate: float
    range: list[float]
    limit: float
    share: float
    at: Annotated[float, Meta(description="When it was found")]
    scope: Annotated[str | None, Meta(description="The name under which it is watched, or can be")]
    declared: Annotated[bool, Meta(description="It is watched as a scope")]
    declare: Annotated[str | None, Meta(description="The lines of configuration that declare it")]


class QualificationEntry(TypedDict):
    """The statement by which the small model serves, in words."""

    verdict: str
    says: str
    expires: TimeOrNull
    statement: str
    withheld: list[str]
    objections: list[str]


class HistoryEntry(TypedDict):
    """An event in a sentence; `/v1/events` has all of it."""

    seq: int
    at: float
    kind: str
    sort: Annotated[Literal["harm", "well", "order", "change"], Meta(description="What sort of news it is")]
    scope: str
    actor: str
    text: str
    raw: str
    incident: Annotated[str | None, Meta(description="The id of its incident, for `/v1/incidents/{name}`")]


Span = TypedDict("Span", {"from": float, "to": float | None, "state": str, "seq": int, "asked": list[str]})
"""A span of time; ``asked`` are the classes that were asked again, where the full model answered these alone."""


class MoveEntry(TypedDict):
    """The spans of time in which the full model answered a scope, or some classes of the whole model."""

    scope: str
    title: str
    spans: list[Span]


class ModelEntry(TypedDict):
    """A model in words and figures."""

    name: str
    owner: Annotated[str | None, Meta(description="The person or team that answers for the model")]
    level: Level
    headline: str
    sentence: str
    armed: bool
    state: str
    answers: AnsweringModel
    blind: bool
    reason: Annotated[str, Meta(description="Why the full model answers above all modes; empty if it does not")]
    full: ArtefactEntry
    small: ArtefactEntry
    traffic: TrafficEntry
    cost: Annotated[str, Meta(description="What compression saves and what safety costs, in a sentence")]
    sight: SightEntry
    everyone: ScopeEntry
    groups: Annotated[list[ScopeEntry], Meta(description="The worst first")]
    unseen: list[UnseenEntry]
    found: Annotated[list[FoundEntry], Meta(description="Harmed groups that the search has found")]
    qualification: QualificationEntry | None
    history: Annotated[list[HistoryEntry], Meta(description="The newest first")]
    moves: list[MoveEntry]
    report: Annotated[str | None, Meta(description="The path of the newest drift report")]
    incident: Annotated[str | None, Meta(description="The id of the incident that is open, if one is recorded")]


class ModelCard(TypedDict):
    """A model in one line."""

    name: str
    level: Level
    headline: str
    answers: AnsweringModel
    groups: int
    moved: Annotated[int, Meta(description="The groups that the full model answers")]
    evidence: Annotated[float, Meta(description="The most of any scope, as a share of what an alarm needs")]


class Overview(TypedDict):
    """The state of all models, for people."""

    at: float
    level: Level
    headline: str
    sentence: str
    control: Annotated[bool, Meta(description="Whether orders are taken: a control token is configured")]
    total: Annotated[int, Meta(description="The number of models")]
    cards: Annotated[list[ModelCard], Meta(description="Every model, the most urgent first")]
    models: Annotated[list[ModelEntry], Meta(description="The page of models that was asked for")]
