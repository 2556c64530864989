"""The judge's alerts as people get them: who is answered by which model, how much is off, what to do, and how urgent.

A page is for what cannot wait: the whole model falls back by evidence or blindness, a large group does, or harm reaches
callers. One small group, or one that only a person can bring back, is a ticket: its callers are served; so is harm by
limits that no person chose. An order pages no one, for who gave it knows of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.monitors.safemode import Input
from tightrope.monitors.watched_groups.orders import JUDGE
from tightrope.service.adapters.ports import Alert
from tightrope.service.api.overview.event_words import asked_of, event_sentence
from tightrope.service.api.overview.phrases import EVERYBODY, class_phrase, clock_time, percent, scope_title
from tightrope.service.config.models import ModelSection
from tightrope.shadow.alerts import ADVISED_ALERT, HELD_ALERT, HELD_SAFE_ALERT, LATCHED_ALERT, SAFE_MODE_ALERT

PAGING, TICKET, INFO = "page", "ticket", "info"

LARGE_SHARE = 0.2
"""A group of at least this share of the requests is large."""

SUMMARIES = {
    SAFE_MODE_ALERT: "{model}: the full model answers {who}{share}",
    HELD_SAFE_ALERT: "{model}: {actor} had the full model answer {who}{share}",
    LATCHED_ALERT: "{model}: {who} stays with the full model until a person decides",
    HELD_ALERT: "{model}: {who} gets harmful answers, and a person keeps the small model",
    ADVISED_ALERT: "{model}: {who} gets harmful answers, and the fallback only advises",
}

NARROWED_SUMMARY = "{model}: the full model is asked again {said}"
NARROWED_ADVICE = "Callers are served: by the full model {said}, by the small one all others. {next_step}"
"""The texts where only answers that say some classes are asked again."""

ADVICE = {
    SAFE_MODE_ALERT: "Callers are served: by the full model. {others}{next_step}",
    HELD_SAFE_ALERT: "Callers are served: by the full model. {others}{next_step}",
    LATCHED_ALERT: "The small model came back and failed too often. Callers are served: by the full model. Decide in "
    "working hours: put a better model in place, or give it back: {release}.",
    HELD_ALERT: "Callers still get the small model's answers, because a person ordered it. To let the evidence decide: "
    "{release}.",
    ADVISED_ALERT: "Callers still get the small model's answers, because this model only advises. To protect "
    "them now: tightrope force-safe CONFIG {model} {scope} --reason TEXT.",
}

NEXT_STEPS = {
    PAGING: "It costs capacity: check that the full model bears its requests. "
    "Otherwise there is nothing to do tonight.",
    TICKET: "There is nothing to do tonight. Look at it in working hours: the page says whether it will return.",
    INFO: "It stays so until somebody gives it back: {release}.",
    Input.WITHHELD: "The small model returns once it has proved itself.",
    Input.BLIND: "Look at the shadow worker: is it running, does its queue grow?",
    Input.UNREADABLE: "Find out what became of the state folder. The small model returns once it has proved itself.",
}
"""The advice about a safe scope, by its severity, or by a cause that asks for more."""


@dataclass(frozen=True)
class AlertWriter:
    """Gives alerts their severity, labels and texts; ``models`` are the sections of the configuration.

    ``gateway`` is the address of the page, empty for no link; where it ``has_incidents``, alerts link to theirs, too.
    ``event_number`` finds the number of an event there by
    model and id, None where the trail of that page is not at hand.
    """

    models: Mapping[str, ModelSection]
    gateway: str = ""
    has_incidents: bool = False
    event_number: Callable[[str, str], int | None] = field(default=lambda _model, _event: None)

    def completed(self, alert: Alert) -> Alert:
        """The alert as it is sent."""
        section = self.models.get(alert.model)
        is_decided = section is None or section.mode is not None
        severity = alert_severity(alert, section.page if section else "large", is_decided=is_decided)
        owner = section.owner if section else None
        labels = {"owner": owner or "", "actor": _actor(alert)}
        links = {"page_url": self._link(alert), "incident_url": self._incident(alert)}
        texts = {**alert.annotations, **alert_texts(alert, severity), **links}
        return replace(
            alert,
            severity=severity,
            labels={name: value for name, value in labels.items() if value},
            annotations={name: text for name, text in texts.items() if text},
        )

    def _link(self, alert: Alert) -> str:
        """The address of the case on the page."""
        if not self.gateway:
            return ""
        number = self.event_number(alert.model, alert.cause.id) if alert.cause else None
        case = f"{self.gateway}/#/{quote(alert.model, safe='')}/{quote(alert.scope, safe='')}"
        return case if number is None else f"{case}?event={number}"

    def _incident(self, alert: Alert) -> str:
        """The address that leads to the report of the incident, where the cause began or belongs to one."""
        if not self.gateway or not self.has_incidents or alert.cause is None:
            return ""
        return f"{self.gateway}/v1/models/{quote(alert.model, safe='')}/incidents/{alert.cause.time}"


def alert_severity(alert: Alert, page: str, *, is_decided: bool = True) -> str:
    """How urgent an alert is, by what is at stake; a share that is not known counts as large. ``is_decided`` tells
    whether the model's mode is written: one without a mode only advises as long as its limits are the defaults, which
    are no person's judgement of harm.
    """
    if alert.name == HELD_SAFE_ALERT:
        return INFO
    if alert.name == LATCHED_ALERT or page == "never":
        return TICKET
    if alert.name == ADVISED_ALERT and not is_decided and page != "always":
        return TICKET
    harms_callers = alert.name in {ADVISED_ALERT, HELD_ALERT}
    is_large = alert.scope == MODEL_SCOPE or alert.share is None or alert.share >= LARGE_SHARE
    return PAGING if page == "always" or harms_callers or is_large else TICKET


def alert_texts(alert: Alert, severity: str) -> dict[str, str]:
    """The summary, and the description: what happened, since when, who is served by which model, and what to do."""
    is_group = alert.scope != MODEL_SCOPE
    cause = alert.cause
    release = f"tightrope release CONFIG {alert.model} {alert.scope} --reason TEXT"
    words = {
        "model": alert.model,
        "scope": alert.scope,
        "who": scope_title(alert.scope) if is_group else EVERYBODY,
        "share": f", {percent(alert.share)} of requests" if is_group and alert.share is not None else "",
        "actor": _person(cause),
        "release": release,
        "others": "Nobody else is touched. " if is_group else "",
        "next_step": NEXT_STEPS.get(cause.kind if cause else severity, NEXT_STEPS[severity]).format(release=release),
    }
    # The reason of an order is as a person wrote it, perhaps without its full stop.
    event = f"{event_sentence(cause).rstrip('.')}. Since {clock_time(cause.time)}. " if cause else ""
    asked = asked_of(cause) if cause and alert.name == SAFE_MODE_ALERT else ()
    texts = (NARROWED_SUMMARY, NARROWED_ADVICE) if asked else (SUMMARIES[alert.name], ADVICE[alert.name])
    summary, advice = (text.format(**words, said=class_phrase(asked) if asked else "") for text in texts)
    return {"summary": summary, "description": event + advice}


def _actor(alert: Alert) -> str:
    """The label of who moved the scope; empty where a person did whose name is not at hand."""
    if alert.cause is not None:
        return alert.cause.actor
    return "" if alert.name == HELD_SAFE_ALERT else JUDGE


def _person(cause: Event | None) -> str:
    """The subject of a sentence about an order."""
    if cause is None:
        return "a person"
    return "its statement of qualification" if cause.kind == Input.WITHHELD else cause.actor
