"""The states of a model that is seen: harm, fallback, and all well."""

from collections.abc import Sequence

from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.api.overview.facts import FULL, ModelFacts, ScopeFacts
from tightrope.service.api.overview.levels import ACT, NOTE, OK, StateWords, names, no_harm, served, well
from tightrope.service.api.overview.phrases import as_sentence, capitalized, class_phrase, joined, percent

_NUMBERS = {1: "One", 2: "Two", 3: "Three"}
_FAILED_AGAIN = "The small model came back and failed again"
_WORKING_HOURS = "In working hours: put a better small model in place, or give it back to Tightrope."


def advisory_harm(model: ModelFacts) -> StateWords | None:
    """A scope is harmed, and nothing moves."""
    harmed = [scope for scope in (model.everyone, *model.groups) if scope.harmed and scope.answers != FULL]
    if not harmed:
        return None
    who = names(harmed)
    they = "They still get" if len(harmed) > 1 or harmed[0].scope == MODEL_SCOPE else "It still gets"
    return (
        ACT,
        f"{model.name} harms {who}, and the fallback only advises.",
        f"{they} the small model's answers: {harmed[0].finding}. Let the full model answer, or set `mode: armed`.",
    )


def overloaded(model: ModelFacts) -> StateWords | None:
    """The full model bears only a share of the requests that fall back."""
    if model.capacity >= 1.0 or model.everyone.answers != FULL:
        return None
    return (
        ACT,
        f"The full model of {model.name} cannot bear it.",
        f"About {percent(1 - model.capacity)} of its requests get the small model's answers, marked so. Add capacity.",
    )


def unqualified(model: ModelFacts) -> StateWords | None:
    """No statement lets the small model serve."""
    if not model.unqualified:
        return None
    return (
        ACT,
        f"The full model answers everybody of {model.name}, for lack of a valid qualification.",
        f"{capitalized(model.unqualified)}. {served(model)} Qualify the small model, or put a qualified one in place.",
    )


def latched(model: ModelFacts) -> StateWords | None:
    """The whole model stays with the full one until a person decides."""
    if model.everyone.state != "latched" or model.everyone.answers != FULL:
        return None
    return (
        ACT,
        f"The full model answers everybody of {model.name}, and a person must decide.",
        f"{_FAILED_AGAIN}, so it does not return by itself. {served(model)} {_WORKING_HOURS}",
    )


def found_harm(model: ModelFacts) -> StateWords | None:
    """A group that is not declared is harmed."""
    if not model.found:
        return None
    more = f" {len(model.found) - 1} more groups are found." if len(model.found) > 1 else ""
    return (
        ACT,
        f"{model.name} harms a group that is not declared.",
        f"{capitalized(model.found[0])}.{more} The small model still answers it: have it watched, or declare it.",
    )


def latched_groups(model: ModelFacts) -> StateWords | None:
    """A group stays with the full model until a person decides."""
    return moved_groups(model) if any(group.state == "latched" for group in model.moved) else None


def unknown(model: ModelFacts) -> StateWords | None:
    """The modes are not known yet."""
    if not model.unknown:
        return None
    return (
        NOTE,
        f"The full model answers everybody of {model.name} until a judge has said who may be served by the small one.",
        f"{served(model)} This is so after a start, for some seconds.",
    )


def whole_model(model: ModelFacts) -> StateWords | None:
    """The full model answers the whole model."""
    scope = model.everyone
    if scope.answers != FULL:
        return None
    why = f"{as_sentence(scope.why)} " if scope.why else ""
    return (
        NOTE,
        f"The full model answers everybody of {model.name}.",
        f"{why}{served(model)} {_return([scope])}",
    )


def narrowed_model(model: ModelFacts) -> StateWords | None:
    """The full model is asked again where the small one says some classes."""
    scope = model.everyone
    if scope.state != "safe" or scope.answers == FULL or not model.armed:
        return None
    moved = f" It also answers {names(model.moved)}." if model.moved else ""
    why = capitalized(scope.finding) if scope.asked and scope.finding else scope.why
    about = class_phrase(scope.asked) if scope.asked else "about some answers"
    return (
        NOTE,
        f"The full model of {model.name} is asked again {about}.",
        f"{as_sentence(why)} All other answers are the small model's.{moved} {_return([scope])}",
    )


def moved_groups(model: ModelFacts) -> StateWords | None:
    """The full model answers some groups."""
    moved = model.moved
    if not moved:
        return None
    one = len(moved) == 1
    count = f"{_NUMBERS.get(len(moved), str(len(moved)))} group{' is' if one else 's are'}"
    known = [group.share for group in moved if group.share is not None]
    share = f", about {percent(sum(known))} of requests" if known else ""
    served = f"{'It is' if one else 'They are'} {well(model)}, and so is everybody else."
    if model.trouble:
        served = f"{'It is' if one else 'They are'} {well(model)}."
    text = f"{capitalized(names(moved))}{share}. {served} {_return(moved)}{_worth_watching(model)}"
    return (
        ACT if any(group.state == "latched" for group in moved) else NOTE,
        f"{count} answered by the full model.",
        text,
    )


def _return(moved: Sequence[ScopeFacts]) -> str:
    """The outlook of scopes that the full model answers, and what to do."""
    one = len(moved) == 1
    latched = [scope for scope in moved if scope.state == "latched"]
    if latched:
        return f"A person must decide about {names(latched)}: the small model came back and failed again."
    held = [scope for scope in moved if scope.held]
    free = [scope for scope in moved if not scope.held]
    if held and not free:
        return f"By order of a person: {'it stays' if one else 'they stay'} so until somebody gives it back."
    stuck = [scope for scope in free if scope.returns is False]
    if stuck:
        who = ("It does" if one else "They do") if len(stuck) == len(moved) else None
        who = who or capitalized(joined([scope.name for scope in stuck])) + (" does" if len(stuck) == 1 else " do")
        itself = "itself" if len(stuck) == 1 else "themselves"
        return f"Nothing to do now. {who} not return by {itself}: that takes a better small model, in working hours."
    if all(scope.returns for scope in free):
        they, them = ("it returns by itself", "it") if one else ("they return by themselves", "them")
        return f"Nothing to do: {they} once the small model has proved itself for {them}."
    return (
        f"Nothing to do now. Whether {'it returns by itself' if one else 'they return by themselves'} is not known yet."
    )


def _worth_watching(model: ModelFacts) -> str:
    if not model.near:
        return ""
    first = model.near[0]
    return f" Worth watching: {first.title}, with {percent(first.evidence)} of the evidence an alarm needs."


def near(model: ModelFacts) -> StateWords | None:
    """A scope has almost the evidence of an alarm."""
    if not model.near:
        return None
    return (
        NOTE,
        "All well, and one thing is worth watching.",
        f"The small model answers everybody.{_worth_watching(model)} Nothing to do now.",
    )


def expiring(model: ModelFacts) -> StateWords | None:
    """The qualification ends soon."""
    if not model.expires:
        return None
    return (
        NOTE,
        "All well, and one thing is worth watching.",
        f"The small model answers everybody. Its qualification {model.expires}: qualify it anew in working hours.",
    )


def nothing_compared(model: ModelFacts) -> StateWords | None:
    """Nothing has been compared yet."""
    if model.compared:
        return None
    return (
        NOTE,
        f"Nothing of {model.name} has been compared yet.",
        "The small model answers everybody. Whether it harms anybody shows once requests come and are compared.",
    )


def well_served(model: ModelFacts) -> StateWords:
    """All is well."""
    return OK, "All well.", f"The small model answers everybody, and {no_harm(len(model.groups))}. Nothing to do."
