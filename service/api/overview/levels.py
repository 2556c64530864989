"""Levels of urgency, and the phrases that several states of a model share."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.api.overview.facts import ModelFacts, ScopeFacts
from tightrope.service.api.overview.phrases import joined

OK, NOTE, ACT, BLIND = LEVELS = ("ok", "note", "act", "blind")
"""Levels, the better first: all is well, something is to be known, a person must act, nothing is seen."""

StateWords: TypeAlias = tuple[str, str, str]
"""A level, a headline, and a sentence."""

StateDescription: TypeAlias = Callable[[ModelFacts], StateWords | None]


def served(model: ModelFacts) -> str:
    """How callers of a model are served that the full one answers: well only while nothing is wrong with that one."""
    if model.trouble:
        return f"Callers are answered by the full model, which {model.trouble}."
    return "Callers are served well; it costs capacity."


def well(model: ModelFacts) -> str:
    """How a group is served that the full model answers."""
    return f"answered by the full model, which {model.trouble}" if model.trouble else "served well"


def names(scopes: Sequence[ScopeFacts]) -> str:
    """The scopes in a sentence."""
    return joined([scope.title.lower() if scope.scope == MODEL_SCOPE else scope.title for scope in scopes])


def no_harm(groups: int) -> str:
    """The words for no evidence of harm in a number of groups."""
    return f"in none of {groups:,} groups is there evidence of harm" if groups else "there is no evidence of harm"
