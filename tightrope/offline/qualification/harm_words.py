"""Harm in words: what a judged cell means for a thousand rows of a group."""

from collections.abc import Sequence
from math import floor

from tightrope.monitors.qualification.cells import JudgedCell
from tightrope.monitors.records import MODEL_SCOPE

IN_WORDS = {
    "disagreement": "get another answer",
    "clear_disagreement": "get another answer though the baseline is clear about them",
    "class_miss": "lose the class that the baseline gives them",
    "class_gain": "get a class that the baseline does not give them",
    "refusal_persistence": "get an answer that the baseline refuses",
    "accuracy": "more get a wrong answer",
    "confident_wrong": "more get a confident wrong answer",
    "flip_gap": "more change their answer when the row changes a little",
}
"""The harm that a criterion counts, in words."""

PER = 1000


def in_words(judged: JudgedCell) -> str:
    """A harm as a sentence about a thousand rows of a group."""
    cell, evidence = judged.cell, judged.cell.evidence
    group = "all rows" if cell.scope == MODEL_SCOPE else cell.scope
    variant = f" ({cell.variant})" if cell.variant else ""
    if evidence is None or evidence.seen is None:
        return f"{cell.criterion}{variant} in {group}: {judged.note}"
    if cell.criterion not in IN_WORDS:
        least = f"at least {figure(evidence.at_least)}"
        return f"{cell.criterion}{variant} in {group}: {figure(evidence.seen)}, {least}, over {cell.limit:g}"
    seen, fewest, limit = round(PER * evidence.seen), floor(PER * evidence.at_least), round(PER * cell.limit, 1)
    harm = f"about {seen} {IN_WORDS[cell.criterion]} (at least {fewest}; the limit is {limit:g})"
    return f"of {PER:,} in {group}{variant} {harm}"


def first_of_scopes(cells: Sequence[JudgedCell]) -> list[JudgedCell]:
    """The first cell of each scope: a group is named once."""
    return list({each.cell.scope: each for each in reversed(cells)}.values())[::-1]


def figure(value: float | None) -> str:
    """A share or a mean with four decimals; - where it is absent."""
    return "-" if value is None else f"{round(value, 4) + 0.0:.4f}"
