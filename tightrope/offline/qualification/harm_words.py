"""The harm of a cell as a sentence about a thousand rows of a group."""

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


def harm_sentence(criterion: str, group: str, seen: float, at_least: float | None, limit: float) -> str:
    """Say how many of a thousand rows are harmed, or for a criterion that counts no rows its figure.

    >>> harm_sentence("disagreement", "sex=male", 0.212, 0.1729, 0.1)
    'of 1,000 in sex=male about 212 get another answer (at least 172; the limit is 100)'
    """
    if criterion not in IN_WORDS:
        return f"{criterion} in {group}: {rounded_figure(seen)}, at least {rounded_figure(at_least)}, over {limit:g}"
    fewest = "" if at_least is None else f"at least {floor(PER * at_least)}; "
    harm = f"about {round(PER * seen)} {IN_WORDS[criterion]} ({fewest}the limit is {round(PER * limit, 1):g})"
    return f"of {PER:,} in {group} {harm}"


def in_words(judged: JudgedCell) -> str:
    """A harm as a sentence about a thousand rows of a group."""
    cell, evidence = judged.cell, judged.cell.evidence
    group = "all rows" if cell.scope == MODEL_SCOPE else cell.scope
    variant = f" ({cell.variant})" if cell.variant else ""
    if evidence is None or evidence.seen is None:
        return f"{cell.criterion}{variant} in {group}: {judged.note}"
    return harm_sentence(cell.criterion, f"{group}{variant}", evidence.seen, evidence.at_least, cell.limit)


def first_of_scopes(cells: Sequence[JudgedCell]) -> list[JudgedCell]:
    """The first cell of each scope: a group is named once."""
    return list({each.cell.scope: each for each in reversed(cells)}.values())[::-1]


def rounded_figure(value: float | None) -> str:
    """A share or a mean with four decimals; a dash where it is missing."""
    return "-" if value is None else f"{round(value, 4) + 0.0:.4f}"
