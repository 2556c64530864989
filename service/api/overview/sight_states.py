"""The states in which nothing shows whether a model is safe."""

from tightrope.service.api.overview.facts import FULL, ModelFacts
from tightrope.service.api.overview.levels import BLIND, StateWords, served
from tightrope.service.api.overview.phrases import capitalized, duration

SILENT_SECONDS = 10.0
MANY_WAITING = 8
"""Seconds of silence, and requests that wait, from which a part counts as silent."""

_COMPARED_AGAIN = "once answers are compared again, the small model can prove itself and comes back"


def judge_is_silent(model: ModelFacts) -> bool:
    """Whether no judge of the model is heard."""
    return model.judge_missing or model.freshness.heard_seconds >= SILENT_SECONDS


def worker_is_silent(model: ModelFacts) -> bool:
    """Whether kept requests wait, although a judge is heard: they are not compared."""
    fresh = model.freshness
    waits = fresh.waiting > MANY_WAITING and fresh.seconds >= SILENT_SECONDS
    return waits and not judge_is_silent(model)


def distrusted(model: ModelFacts) -> StateWords | None:
    """The topics of the judges cannot be trusted."""
    if not model.distrusted:
        return None
    return (
        BLIND,
        f"The full model answers everybody of {model.name}: what it reads of the judges cannot be trusted.",
        f"{capitalized(model.distrusted)}. {served(model)} Set the topics right; the modes decide again then.",
    )


def judge_silent(model: ModelFacts) -> StateWords | None:
    """No judge is heard."""
    if not judge_is_silent(model):
        return None
    fresh = model.freshness
    silence = f"No judge is heard, for {duration(fresh.heard_seconds)}"
    waiting = f", and {fresh.waiting:,} requests wait to be judged" if fresh.waiting else ""
    return BLIND, f"Nobody is watching {model.name}.", f"{silence}{waiting}. {_until(model, 'the judge is back')}"


def _until(model: ModelFacts, ended: str) -> str:
    """The model that answers while nothing is judged, and what to do."""
    if model.everyone.answers == FULL:
        return f"The full model answers until {ended}: callers are safe, and it costs capacity. Restart the judge."
    if model.freshness.limit > 0:
        left = f"After {duration(model.freshness.limit)} the full model takes over by itself, if requests wait."
        return f"New harm is not noticed. {left} Restart the judge."
    return "New harm is not noticed. Restart the judge, or let the full model answer until it is back."


def worker_silent(model: ModelFacts) -> StateWords | None:
    """Kept requests are not compared, and the small model still answers."""
    if not worker_is_silent(model) or model.overlay or model.blind or model.everyone.answers == FULL:
        return None
    fresh = model.freshness
    ahead = f" After {duration(fresh.limit)} the full model takes over by itself." if fresh.limit > 0 else ""
    waiting = f"{fresh.waiting:,} requests wait to be compared, for {duration(fresh.seconds)}."
    return BLIND, f"Nobody can see whether {model.name} is safe.", f"{waiting}{ahead} Look at the shadow worker."


def blind(model: ModelFacts) -> StateWords | None:
    """Nothing is compared, and the full model answers for it."""
    if not (model.overlay or model.blind or worker_is_silent(model)):
        return None
    return (
        BLIND,
        f"Nobody can see whether {model.name} is safe, so the full model answers everybody.",
        f"{served(model)} Look at the shadow worker: {_COMPARED_AGAIN}.",
    )


def starved(model: ModelFacts) -> StateWords | None:
    """Too few requests are kept, and the full model answers for it."""
    if not model.starved:
        return None
    return (
        BLIND,
        f"Too few requests of {model.name} are kept to see whether it is safe, so the full model answers everybody.",
        f"{served(model)} Look at the sampling: it comes back once enough requests are kept again.",
    )
