"""The letter needs no glossary: its words are plain in every state, and hostile texts stay texts."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.support.harmful_pair import MINORITY
from tests.support.week.simulated import (
    CASE,
    DAY,
    MONDAY,
    TRIPPED,
    Judged,
    SimulatedWeek,
    ledger_day,
    move,
    simulated_week,
    week_events,
)
from tightrope.monitors.cost.shares import ModelCpu
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.monitors.status.groups import GroupStatus
from tightrope.monitors.verdict import Interval
from tightrope.service.api.letter.content import answers, model_title, printable, signature
from tightrope.service.api.letter.text import week_text

FORBIDDEN = re.compile(
    r"\b(scopes?|breach\w*|safe mode|latched|drift\w*|dwell|epoch|e-values?|p-values?|baseline|compressed model"
    r"|subgroups?|shadow\w*|fallbacks?|verdicts?|monitors?|quantiz\w+|pruned|disagreement|advisory|armed|nan|null|None"
    r"|CPU|API|JSON|log10|threshold|sampl\w+|inference|gateway|worker|judge|config\w*|true|false|flap\w*|seq"
    r"|confidence interval|evidence|e-detector|artefacts?|digest)\b|10\^|_|\d{10}",
)
"""Words that need a glossary, and figures that are those of machines."""

GROUP = GroupStatus(1, "age: 16 to 19", "", Interval(0.4, 0.3, 0.5, 90), 0.1, 0.06, 384, MONDAY, 60, MONDAY, "")


STATES: dict[str, dict[str, Any]] = {
    "well": {"events": week_events()[:1]},
    "trip, order, blind hour and return": {},
    "nothing on record": {"events": [], "days": [], "judged": Judged(compared=0)},
    "advisory": {
        "events": [week_events()[0], move(1, TRIPPED, "breach", MINORITY, "safe", monitors=[CASE], armed=False)],
        "judged": Judged(armed=False),
    },
    "a person must decide": {"judged": Judged(modes={MINORITY: Mode(ModeState.LATCHED, since=MONDAY)}, found=[GROUP])},
    "other signs of harm": {
        "events": [
            week_events()[0],
            *(
                move(
                    n, TRIPPED + n, "breach", f"group={n}", "safe", monitors=[{**CASE, "monitor": name, "since": None}]
                )
                for n, name in enumerate(("confidence", "class_miss", "refusal_rate", "mix", "bias"), 1)
            ),
            *(move(n, MONDAY + n, kind, f"group={n}", "safe") for n, kind in enumerate(("withheld", "known-harm"), 20)),
        ]
    },
    "costly": {
        "days": [
            ledger_day(date(2026, 11, 23), cpu=ModelCpu(9.0, 1.0, 2.0, None, 4.0, 0.5)),
            ledger_day(date(2026, 11, 24), cpu=ModelCpu(9.0, answer_by_baseline=None)),
        ]
    },
}


@pytest.mark.parametrize("state", STATES)
def test_letter_needs_no_glossary(tmp_path: Path, state: str) -> None:
    """No word of the field, no figure of a machine, no underscore, in any state."""
    with simulated_week(tmp_path, **STATES[state]) as week:
        text = week_text(week.document())
    assert [found[0] for found in FORBIDDEN.finditer(text)] == []
    assert "small model" in text


def test_forbidden_words_are_found() -> None:
    """The test above can fail."""
    for words in ("a breach in the scope", "10^8.5", "the baseline", "None", "group_quarters", "1795885049"):
        assert FORBIDDEN.search(words), words


def test_questions_are_answered_in_their_order(document: dict[str, Any]) -> None:
    """Harm first; who is still answered by the full model is said in any case."""
    (model,) = document["models"]
    questions = [question for question, _ in answers(model)]
    assert questions[:4] == [
        "Was anybody harmed?", "What did it save?", "What did safety cost?", "What is not known?",
    ]  # fmt: skip
    assert all(says for _, says in answers(model))
    assert "The small model answers everybody again." in dict(answers(model))[questions[0]]


def test_groups_that_stay_with_the_full_model_are_named(tmp_path: Path) -> None:
    """And where it answered nothing, that is said."""
    for name in "ab":
        (tmp_path / name).mkdir()
    events = [week_events()[0], move(1, MONDAY - DAY, "breach", MINORITY, "safe", monitors=[CASE])]
    with simulated_week(tmp_path / "a", events) as week:
        says = answers(week.document()["models"][0])[0][1]
    assert "Still answered by the full model: minority (group)." in says
    with simulated_week(tmp_path / "b", week_events()[:1]) as week:
        says = answers(week.document()["models"][0])[0][1]
    assert list(says) == ["No harm was noticed.", "The small model answered everybody."]


def test_owner_and_signature_are_shown_where_they_are(week: SimulatedWeek) -> None:
    """Nothing is shown in their place."""
    assert model_title({"name": "credit", "owner": None}) == "credit"
    assert model_title(week.document()["models"][0]) == "employment (team-credit)"
    assert signature({"signed": None}) == ""
    assert signature({"signed": {"actor": "Ann", "reason": "trained anew", "at": 0.0}}) == "Ann: trained anew"
    assert printable("a\u202eb\n") == "a b "
