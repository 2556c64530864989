"""Every state of a model has its headline and its sentence, and the most urgent one of several speaks."""

import re
from dataclasses import replace

import pytest

from tightrope.service.api.overview.facts import FULL, Freshness, ModelFacts, ScopeFacts
from tightrope.service.api.overview.headlines import STATES, describe_all, describe_model

MODEL = ModelFacts("credit", groups=tuple(ScopeFacts(f"age={age}") for age in ("young", "old")))
WHOLE = ScopeFacts("model", FULL, "safe")
QUARTERS = ScopeFacts("residence=group_quarters", FULL, "safe", share=0.06, returns=True)
INSTITUTION = ScopeFacts("residence=institution", FULL, "safe", share=0.026, returns=True)

CASES = {
    "well": (MODEL, "ok", "All well.", "in none of 2 groups is there evidence of harm. Nothing to do."),
    "no groups": (replace(MODEL, groups=()), "ok", "All well.", "and there is no evidence of harm."),
    "nothing compared": (
        replace(MODEL, compared=0),
        "note",
        "Nothing of credit has been compared yet.",
        "once requests",
    ),
    "near": (
        replace(MODEL, groups=(ScopeFacts("age=old", evidence=0.86),)),
        "note",
        "All well, and one thing is worth watching.",
        "Worth watching: old (age), with 86 % of the evidence an alarm needs. Nothing to do now.",
    ),
    "expiry": (
        replace(MODEL, expires="ends on 2026-12-05"),
        "note",
        "All well, and one thing is worth watching.",
        "Its qualification ends on 2026-12-05",
    ),
    "one group": (
        replace(MODEL, groups=(QUARTERS,)),
        "note",
        "One group is answered by the full model.",
        "about 6.0 % of requests. It is served well, and so is everybody else. Nothing to do: it returns by itself",
    ),
    "two groups, one worth watching": (
        replace(MODEL, groups=(QUARTERS, INSTITUTION, ScopeFacts("age=old", evidence=0.8))),
        "note",
        "Two groups are answered by the full model.",
        "they return by themselves once the small model has proved itself for them. Worth watching: old (age), with 80",
    ),
    "some answers asked again": (
        replace(MODEL, everyone=ScopeFacts("model", state="safe", returns=True, why="It says a class too often")),
        "note",
        "The full model of credit is asked again about some answers.",
        "It says a class too often. All other answers are the small model's. Nothing to do: it returns by itself",
    ),
    "stuck": (
        replace(MODEL, groups=(replace(QUARTERS, returns=False),)),
        "note",
        "One group is answered by the full model.",
        "Nothing to do now. It does not return by itself: that takes a better small model, in working hours.",
    ),
    "one of two stuck": (
        replace(MODEL, groups=(replace(QUARTERS, returns=False), INSTITUTION)),
        "note",
        "Two groups are answered by the full model.",
        "Group quarters does not return by itself: that takes a better small model",
    ),
    "return unknown": (
        replace(MODEL, groups=(replace(QUARTERS, returns=None),)),
        "note",
        "One group is answered by the full model.",
        "Whether it returns by itself is not known yet.",
    ),
    "held": (
        replace(MODEL, groups=(replace(QUARTERS, held=True, returns=None),)),
        "note",
        "One group is answered by the full model.",
        "By order of a person: it stays so until somebody gives it back.",
    ),
    "latched group": (
        replace(MODEL, groups=(replace(QUARTERS, state="latched", returns=False),)),
        "act",
        "One group is answered by the full model.",
        "A person must decide about group quarters (residence): the small model came back and failed again.",
    ),
    "full model fails": (
        replace(MODEL, groups=(QUARTERS,), trouble="fails"),
        "note",
        "One group is answered by the full model.",
        "It is answered by the full model, which fails.",
    ),
    "whole model": (
        replace(MODEL, everyone=replace(WHOLE, returns=True, why="Ben had it so.")),
        "note",
        "The full model answers everybody of credit.",
        "Ben had it so. Callers are served well; it costs capacity. Nothing to do: it returns by itself",
    ),
    "unknown modes": (
        replace(MODEL, everyone=WHOLE, unknown=True),
        "note",
        "The full model answers everybody of credit until a judge has said who may be served by the small one.",
        "for some seconds",
    ),
    "found group": (
        replace(MODEL, found=("residence: group quarters, 64 in 100 differ",)),
        "act",
        "credit harms a group that is not declared.",
        "The small model still answers it: have it watched, or declare it.",
    ),
    "latched model": (
        replace(MODEL, everyone=replace(WHOLE, state="latched")),
        "act",
        "The full model answers everybody of credit, and a person must decide.",
        "it does not return by itself. Callers are served well; it costs capacity. In working hours: put a better",
    ),
    "unqualified": (
        replace(MODEL, everyone=WHOLE, unqualified="a.json: has expired"),
        "act",
        "The full model answers everybody of credit, for lack of a valid qualification.",
        "A.json: has expired.",
    ),
    "overloaded": (
        replace(MODEL, everyone=WHOLE, capacity=0.4),
        "act",
        "The full model of credit cannot bear it.",
        "About 60 % of its requests get the small model's answers, marked so. Add capacity.",
    ),
    "advisory": (
        replace(MODEL, armed=False, groups=(ScopeFacts("age=old", harmed=True, finding="64 % of answers differ"),)),
        "act",
        "credit harms old (age), and the fallback only advises.",
        "It still gets the small model's answers: 64 % of answers differ.",
    ),
    "blind": (
        replace(MODEL, everyone=WHOLE, overlay="no row judged for 60 s"),
        "blind",
        "Nobody can see whether credit is safe, so the full model answers everybody.",
        "Look at the shadow worker: once answers are compared again",
    ),
    "starved": (
        replace(MODEL, everyone=WHOLE, starved=True),
        "blind",
        "Too few requests of credit are kept to see whether it is safe, so the full model answers everybody.",
        "Look at the sampling",
    ),
    "worker silent": (
        replace(MODEL, freshness=Freshness(4_412, 40.0)),
        "blind",
        "Nobody can see whether credit is safe.",
        "4,412 requests wait to be compared, for 40 seconds. After 60 seconds the full model takes over by itself.",
    ),
    "judge silent": (
        replace(MODEL, freshness=Freshness(1_460, 30.0, heard_seconds=30.0)),
        "blind",
        "Nobody is watching credit.",
        "No judge is heard, for 30 seconds, and 1,460 requests wait to be judged. New harm is not noticed.",
    ),
    "judge silent and overlay": (
        replace(MODEL, everyone=WHOLE, overlay="no row judged", freshness=Freshness(9, 90.0, heard_seconds=90.0)),
        "blind",
        "Nobody is watching credit.",
        "The full model answers until the judge is back: callers are safe, and it costs capacity. Restart the judge.",
    ),
    "judge silent, never blind": (
        replace(MODEL, freshness=Freshness(heard_seconds=30.0, limit=0.0)),
        "blind",
        "Nobody is watching credit.",
        "Restart the judge, or let the full model answer until it is back.",
    ),
    "distrusted": (
        replace(MODEL, everyone=WHOLE, distrusted="topic control was made anew"),
        "blind",
        "The full model answers everybody of credit: what it reads of the judges cannot be trusted.",
        "Topic control was made anew.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_state_has_its_words(case: str) -> None:
    """The level, the headline, and what to do."""
    model, level, headline, sentence = CASES[case]
    found = describe_model(model)
    assert (found.level, found.headline) == (level, headline)
    assert sentence in found.sentence


def test_every_state_is_shown_by_a_case() -> None:
    """None of the table is left out above."""
    assert {describe_model(model).rank for model, *_ in CASES.values()} == {*range(len(STATES))}


@pytest.mark.parametrize("case", CASES)
def test_people_read_no_jargon(case: str) -> None:
    """The words of the API and of statistics stay out, and so does a promise that nothing changes."""
    found = describe_model(CASES[case][0])
    assert not re.search(r"10\^|e-value|scope|breach|latched|as before", found.headline + found.sentence)


@pytest.mark.parametrize("case", CASES)
def test_served_well_is_said_only_while_the_full_model_is_well(case: str) -> None:
    """One that fails or is slow serves no caller well."""
    assert "served well" not in describe_model(replace(CASES[case][0], trouble="is slow")).sentence


def test_most_urgent_model_speaks_for_all() -> None:
    """It is named, and the others that are not well are named after it."""
    models = [
        replace(MODEL, name="a"),
        replace(MODEL, name="b", groups=(QUARTERS,)),
        replace(MODEL, name="c", starved=True),
    ]
    found = describe_all(models, [describe_model(model) for model in models])
    assert found.level == "blind"
    assert found.headline.startswith("Too few requests of c are kept")
    assert found.sentence.endswith("Also look at b.")
    two = describe_all(models[:2], [describe_model(model) for model in models[:2]])
    assert two.headline == "b: One group is answered by the full model."


def test_several_models_that_are_well_are_counted() -> None:
    """With all their groups."""
    models = [replace(MODEL, name=name) for name in "abc"]
    found = describe_all(models, [describe_model(model) for model in models])
    assert found.sentence.startswith("The small models of 3 models answer everybody, and in none of 6 groups")
