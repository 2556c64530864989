"""The headline of a model, and of all models: what is so in one line, and what to do in a few sentences.

How it works. `STATES` lists the states of a model, the most urgent first, each with a function that gives its headline
and sentence, or None where the model is not in it. The first that applies is the model's; of several models the most
urgent one speaks, and the others follow in a phrase.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tightrope.service.api.overview import sight_states, states
from tightrope.service.api.overview.facts import ModelFacts
from tightrope.service.api.overview.levels import OK, StateDescription, no_harm
from tightrope.service.api.overview.phrases import joined


@dataclass(frozen=True, slots=True)
class Headline:
    """A state in words, and what to do. ``rank`` is the index of the state: the smallest is the most urgent.

    >>> describe_model(ModelFacts("credit")).headline
    'All well.'
    """

    rank: int
    level: str
    headline: str
    sentence: str


STATES: Sequence[StateDescription] = (
    sight_states.distrusted,
    sight_states.judge_silent,
    sight_states.worker_silent,
    sight_states.starved,
    sight_states.blind,
    states.advisory_harm,
    states.overloaded,
    states.unqualified,
    states.latched,
    states.found_harm,
    states.latched_groups,
    states.unknown,
    states.whole_model,
    states.narrowed_model,
    states.moved_groups,
    states.near,
    states.expiring,
    states.nothing_compared,
    states.well_served,
)
"""The states of a model, the most urgent first; the last one always applies."""


def describe_model(model: ModelFacts) -> Headline:
    """The headline of one model."""
    rank, words = next((rank, words) for rank, state in enumerate(STATES) if (words := state(model)) is not None)
    return Headline(rank, *words)


def describe_all(models: Sequence[ModelFacts], headlines: Sequence[Headline]) -> Headline:
    """The headline of all models, whose own ``headlines`` are given: that of the most urgent one."""
    worst = min(range(len(models)), key=lambda index: headlines[index].rank)
    first = headlines[worst]
    if len(models) == 1:
        return first
    if first.level == OK:
        groups = sum(len(model.groups) for model in models)
        well = f"The small models of {len(models)} models answer everybody, and {no_harm(groups)}. Nothing to do."
        return Headline(first.rank, OK, first.headline, well)
    others = [models[index].name for index, each in enumerate(headlines) if index != worst and each.level != OK]
    name = models[worst].name
    is_named = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", first.headline)
    named = first.headline if is_named else f"{name}: {first.headline}"
    also = f" Also look at {joined(others)}." if others else ""
    return Headline(first.rank, first.level, named, first.sentence + also)
