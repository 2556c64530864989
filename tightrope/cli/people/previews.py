"""The words before an order is given: what it moves, and until when."""

from collections.abc import Mapping
from typing import Any

from tightrope.service.api.overview.phrases import percent

FORCE_SAFE, FORCE_NORMAL, RELEASE = "force-safe", "force-normal", "release"

_STAYS = "It stays there until somebody gives it back, whatever the evidence says."
_FULL, _SMALL = "the full model", "the small model"


def order_preview(kind: str, entry: Mapping[str, Any]) -> str:
    """The effect of an order on a scope, whose entry in the overview is given.

    >>> entry = {"answers": "full", "share": 0.06, "requests_per_second": 1.0, "state": "safe", "held": False}
    >>> order_preview("force-normal", entry).partition(". ")[0]
    'This moves about 1.0/s (6.0 % of requests) from the full to the small model'
    """
    is_full = entry["answers"] == "full"
    if kind == RELEASE:
        return _release(entry, is_full=is_full)
    to_full = kind == FORCE_SAFE
    if to_full == is_full:
        moves = f"{(_FULL if is_full else _SMALL).capitalize()} answers it already, so nothing moves now."
    else:
        moves = f"This moves {_amount(entry)} from the {'small to the full' if to_full else 'full to the small'} model."
    if to_full:
        return f"{moves} {_STAYS} Callers are served by the full model, which costs capacity."
    return f"{moves} {_STAYS} Harm would be seen, and nobody would be protected from it."


def _release(entry: Mapping[str, Any], *, is_full: bool) -> str:
    held = "" if entry["held"] or entry["state"] == "latched" else "No order holds it, so nothing changes. "
    stays = "It stays with the full model until the small one has proved itself." if is_full else ""
    protects = "" if is_full else "The full model takes over once the evidence is there."
    return f"{held}Tightrope decides again. {stays}{protects}"


def _amount(entry: Mapping[str, Any]) -> str:
    """The requests that an order moves."""
    total, share = entry["requests_per_second"], entry["share"]
    of_all = "" if share is None else f"{percent(share)} of requests"
    if total is None:
        return of_all or "its requests"
    return f"about {total:.1f}/s ({of_all})" if of_all else f"about {total:.1f}/s"


def order_outcome(answer: Mapping[str, Any]) -> str:
    """The outcome of an order."""
    if answer.get("confirmed", True):
        return "Done, and on record."
    return "Done on this machine. The judge has not confirmed it yet: look again in a moment."
