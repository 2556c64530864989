import io
import json

import pytest
from rich.console import Console

from tightrope.demo_run.models import DEMO_MODELS
from tightrope.demo_run.prologue_board import GroupHarm, QualifiedModel, Stage, render_prologue
from tightrope.monitors.qualification.cells import QualificationVerdict

GOOD, BAD = DEMO_MODELS[0], DEMO_MODELS[-1]
HARM = GroupHarm("residence=group_quarters", 117 / 217, 0.48106, 0.1)
FOUND = [
    QualifiedModel(GOOD, 187_723, QualificationVerdict.QUALIFIED, 77, 77, 0),
    QualifiedModel("good_distilled", 27_082, QualificationVerdict.INSUFFICIENT, 77, 70, 0),
    QualifiedModel("bad_pruned98", 64_384, QualificationVerdict.BREACH, 77, 48, 10, HARM),
    QualifiedModel(BAD, 27_082, QualificationVerdict.BREACH, 77, 58, 8, HARM),
]


def lines_of(tried: str, found: list[QualifiedModel], stage: Stage | None = None, width: int = 80) -> list[str]:
    """The lines of the picture inside its frame."""
    console = Console(file=io.StringIO(), width=width)
    console.print(render_prologue(DEMO_MODELS, tried, found, stage))
    assert isinstance(console.file, io.StringIO)
    return [line.strip("│ ") for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [80, 120])
def test_a_verdict_is_a_line_and_a_harm_a_sentence(width: int) -> None:
    """All of it fits into a small terminal."""
    lines = lines_of(BAD, FOUND, width=width)
    assert [" ".join(line.split()) for line in lines[1:-1]] == [
        "good_int8 188 KB QUALIFIED 77 of 77 proved",
        "good_distilled 27 KB REFUSED 70 of 77 proved",
        "bad_pruned98 64 KB REFUSED 10 of 77 over a limit",
        "group quarters: 539 of 1,000 answers differ, at least 481; 100 tolerated",
        "bad_distilled_households_only 27 KB REFUSED 8 of 77 over a limit",
        "group quarters: 539 of 1,000 answers differ, at least 481; 100 tolerated",
        "",
        "What if bad_distilled_households_only had been shipped anyway?",
    ]


def test_a_qualified_model_serves() -> None:
    """There is nothing to ask about it."""
    assert lines_of(GOOD, FOUND)[-2] == "good_int8 serves now."


def test_models_that_wait_are_listed_below_the_verdicts() -> None:
    """The stage of the first of them, and a bar over all models, stand at the end."""
    lines = lines_of(BAD, FOUND[:1], Stage("golden answers", 0.5))
    assert lines[2:-2] == [*DEMO_MODELS[1:], "golden answers"]
    assert lines[-2] == 28 * "━" + "╸"
    assert lines_of(BAD, [])[1] == GOOD


def test_document_is_json() -> None:
    """Programs get the verdict with its figures."""
    document = json.loads(json.dumps(FOUND[-1].document()))
    assert document == {
        "qualify": BAD, "size": 27_082, "verdict": "breach", "cells": 77, "passed": 58, "over": 8,
        "harm": {"scope": HARM.scope, "seen": HARM.seen, "at_least": HARM.at_least, "limit": HARM.limit},
    }  # fmt: skip
