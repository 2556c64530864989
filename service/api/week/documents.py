"""The JSON of the week as types; `openapi.json` is derived from them. Its sentences are those of the page."""

from typing import Annotated, Literal, TypedDict

from msgspec import Meta

Seconds = Annotated[float, Meta(description="In seconds since the epoch")]
HoursOrNull = Annotated[float | None, Meta(description="Hours of compute time; `null` if not known")]
MoneyOrNull = Annotated[float | None, Meta(description="In `currency`; `null` without `server.cost_per_hour`")]


class Estimate(TypedDict):
    """An estimate with its range."""

    about: float
    least: float
    most: float


class HarmCase(TypedDict):
    """A harm that was noticed in the week."""

    seq: Annotated[int, Meta(description="The `seq` of its event")]
    event: Annotated[str, Meta(description="The `id` of its event")]
    scope: str
    who: str
    at: Annotated[float, Meta(description="When it was noticed, in seconds since the epoch")]
    began: Annotated[float | None, Meta(description="When it began, as estimated; `null` if not known")]
    seconds: Annotated[Estimate | None, Meta(description="The time until it was noticed")]
    answers: Annotated[Estimate | None, Meta(description="The answers of the harmful kind until it was noticed")]
    protected: Annotated[bool, Meta(description="The full model answers from then on")]
    asked: Annotated[list[str], Meta(description="The classes of the small model that it answers alone; else empty")]
    until: Annotated[float | None, Meta(description="When harm ended that was not held off; `null` if it goes on")]
    says: str


class FullSpan(TypedDict):
    """A time in which the full model answered a group in place of the small one."""

    scope: str
    who: str
    asked: Annotated[list[str], Meta(description="The classes of the small model that it was narrowed to; else empty")]
    since: Seconds
    until: Annotated[float | None, Meta(description="`null` if it goes on")]
    cause: Annotated[Literal["noticed", "order", "unseen", "other"], Meta(description="Why")]
    says: str


class WeekHarm(TypedDict):
    """The harm of a week."""

    answer: Literal["yes", "not noticed", "unknown"]
    cases: list[HarmCase]
    by_full: Annotated[list[FullSpan], Meta(description="Groups that were answered by the full model, and when")]
    says: list[str]


class WeekSaving(TypedDict):
    """Savings: positive where the small model took less than the full one."""

    small_rows: int
    full_rows: int
    small_share: float | None
    alone_hours: Annotated[float | None, Meta(description="Hours that the full model alone would take, an estimate")]
    saved_hours: Annotated[float | None, Meta(description="Saved before the cost of safety; below 0 it cost more")]
    left_hours: Annotated[float | None, Meta(description="Saved after the cost of safety that is known")]
    saved_money: MoneyOrNull
    left_money: MoneyOrNull
    says: list[str]


class WeekSafety(TypedDict):
    """The cost of safety."""

    comparing_hours: HoursOrNull
    instead_hours: Annotated[float | None, Meta(description="More than the small model would have taken")]
    again_hours: HoursOrNull
    hours: Annotated[float | None, Meta(description="All parts that are known")]
    share: Annotated[float | None, Meta(description="Of the hours that the full model alone would take")]
    money: MoneyOrNull
    says: list[str]


class WeekUnknown(TypedDict):
    """A thing that is not known."""

    kind: Literal["few", "undeclared", "labels", "sampled", "blind", "lost", "ledger", "comparing", "trail", "past"]
    says: str


class SignOff(TypedDict):
    """The word of a person about a decision."""

    actor: str
    at: Seconds
    reason: str


class DueDecision(TypedDict):
    """A decision that is due, or was taken."""

    id: Annotated[str, Meta(description="Send it back with the sign-off")]
    kind: Literal["approval", "group", "stays", "order", "harm"]
    model: str
    scope: str
    owner: str | None
    due: Annotated[str, Meta(description="A date, YYYY-MM-DD")]
    signed: SignOff | None
    says: str


class WeekMoney(TypedDict):
    """The price of an hour of compute time."""

    cost_per_hour: float | None
    currency: str | None


class ModelWeek(TypedDict):
    """The week of one model."""

    name: str
    owner: str | None
    harm: WeekHarm
    saving: WeekSaving
    safety: WeekSafety
    unknown: list[WeekUnknown]
    promises: list[str]


class WeekPoint(TypedDict):
    """A week of the chart: hours over all models whose hours are known; null without any."""

    week: str
    saved_hours: float | None
    safety_hours: float | None


class WeekAnswer(TypedDict):
    """The week of all models, in words and figures for those who decide."""

    week: str
    title: str
    dates: str
    first: str
    last: str
    at: Annotated[float, Meta(description="The time of this answer, in seconds since the epoch")]
    complete: Annotated[bool, Meta(description="The week is over")]
    summary: list[str]
    models: list[ModelWeek]
    decisions: list[DueDecision]
    weeks: Annotated[list[WeekPoint], Meta(description="The latest weeks, this one last")]
    money: WeekMoney


class DecisionTaken(TypedDict):
    """A sign-off that was taken."""

    event: Annotated[str, Meta(description="The id of its event in the audit trail")]
    recorded: Annotated[bool, Meta(description="false: not seen in the audit trail yet; look again in a moment")]
