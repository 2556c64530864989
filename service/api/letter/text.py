"""The week as plain text, for a mail."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tightrope.service.api.letter import content
from tightrope.service.api.week.words import SECONDS_OF_HOUR, compute_time

LINE_WIDTH = 78


def week_text(document: Mapping[str, Any]) -> str:
    """The letter of an answer about a week, in lines of at most 78 characters."""
    lines = [f"{document['title']}, {document['dates']}", ""]
    lines += _wrapped(document["summary"])
    for model in document["models"]:
        title = content.printable(content.model_title(model))
        lines += ["", title, "=" * len(title)]
        for question, says in content.answers(model):
            lines += ["", question, "", *_wrapped(says)]
    lines += ["", content.DECISIONS_TITLE, "=" * len(content.DECISIONS_TITLE), ""]
    lines += _decisions(document["decisions"])
    lines += ["", content.CHART_TITLE, "=" * len(content.CHART_TITLE), ""]
    lines += [f"{'':10}{'saved':>16}{'spent on safety':>18}", *map(_point, document["weeks"])]
    return "\n".join([*lines, "", *_wrapped([content.MODELS_NOTE]), ""])


def _wrapped(says: Sequence[str]) -> Iterator[str]:
    listed = False
    for sentence in says:
        first = "- " if listed else ""
        yield from textwrap.wrap(
            content.printable(sentence), LINE_WIDTH, initial_indent=first, subsequent_indent=" " * len(first)
        )
        listed = listed or sentence.endswith(":")


def _decisions(decisions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not decisions:
        yield content.NO_DECISION
    for each in decisions:
        waits = f"{each['owner'] or content.NO_OWNER}, by {each['due']}"
        signed = f" Signed off by {content.signature(each)}" if each["signed"] else ""
        says = content.printable(f"{each['says']} ({waits}){signed}")
        yield from textwrap.wrap(says, LINE_WIDTH, initial_indent="- ", subsequent_indent="  ")


def _point(point: Mapping[str, Any]) -> str:
    figures = (_hours(point["saved_hours"]), _hours(point["safety_hours"]))
    return f"{point['week']:10}{figures[0]:>16}{figures[1]:>18}"


def _hours(hours: float | None) -> str:
    if hours is None:
        return "not known"
    sign = "-" if hours < 0 else ""
    return f"{sign}{compute_time(hours * SECONDS_OF_HOUR)}"
