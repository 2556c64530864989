"""The questions and the words that the page and the plain letter share."""

from collections.abc import Mapping, Sequence
from typing import Any

from tightrope.service.api.overview.phrases import joined

HARM_QUESTION = "Was anybody harmed?"
SAVED_QUESTION = "What did it save?"
SAFETY_QUESTION = "What did safety cost?"
UNKNOWN_QUESTION = "What is not known?"
PROMISE_TITLE = "What is promised"
DECISIONS_TITLE = "Decisions due"
CHART_TITLE = "Savings beside the cost of safety, by week"
NO_DECISION = "No decision is due."
MODELS_NOTE = (
    "The full model is the original. The small model is its compressed copy, which costs less and answers for it. "
    "Tightrope compares the answers of both, and lets the full model answer where the small one does harm. "
    "All times are UTC."
)
DECISION_COLUMNS = ("Decision", "Who decides", "By", "Signed off")
NO_OWNER = "no owner is named"


def model_title(model: Mapping[str, Any]) -> str:
    """The title of a model's part: its name, and who answers for it."""
    return f"{model['name']} ({model['owner']})" if model["owner"] else str(model["name"])


def answers(model: Mapping[str, Any]) -> Sequence[tuple[str, Sequence[str]]]:
    """The questions about a model, each with the sentences of its answer."""
    spans = model["harm"]["by_full"]
    served = [_at_the_end([each["who"] for each in spans if each["until"] is None], any_=bool(spans))]
    if spans:
        served += ["In this week the full model answered:", *(each["says"] for each in spans)]
    return (
        (HARM_QUESTION, [*model["harm"]["says"], *served]),
        (SAVED_QUESTION, model["saving"]["says"]),
        (SAFETY_QUESTION, model["safety"]["says"]),
        (UNKNOWN_QUESTION, [each["says"] for each in model["unknown"]]),
        (PROMISE_TITLE, model["promises"]),
    )


def _at_the_end(names: Sequence[str], *, any_: bool) -> str:
    """A sentence that names the groups which the full model still answers."""
    if names:
        return f"Still answered by the full model: {joined([*dict.fromkeys(names)], 5)}."
    return "The small model answers everybody again." if any_ else "The small model answered everybody."


def signature(decision: Mapping[str, Any]) -> str:
    """The person who signed a decision off, and the reason; empty if it waits."""
    signed = decision["signed"]
    return f"{signed['actor']}: {signed['reason']}" if signed else ""


def printable(text: str) -> str:
    r"""The text on one line, without characters that steer a terminal or hide others.

    >>> printable("a\x1b[31m")
    'a [31m'
    """
    return "".join(each if each.isprintable() else " " for each in text)
