"""Every monitor is documented, funded and observes what it says it does."""

from dataclasses import fields

import pytest

from tightrope.monitors.catalogue import CATALOGUE, MOST_CLASSES, SUBGROUP_FACTOR, SUBGROUP_SHARE, Question, Reach
from tightrope.monitors.records import Stream

QUESTIONS = list(CATALOGUE.values())
ONE = ("disagreement", "confidence", "refusal_rate", "refusal_persistence", "accuracy", "excess_risk", "brier")
"""The monitors that ask one question only."""


def test_shares_of_the_alarm_budget_sum_to_at_most_one() -> None:
    """The model-wide cells' and that of all subgroups together."""
    assert sum(question.share for question in QUESTIONS) + SUBGROUP_SHARE <= 1
    assert SUBGROUP_SHARE > 0
    assert SUBGROUP_FACTOR >= 1


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_monitor_is_documented(name: str) -> None:
    """A question, what it measures, what it cannot see; filed under its own name, with a limit that can be left."""
    question = CATALOGUE[name]
    assert question.name == name
    assert name.isidentifier()
    assert question.asks.endswith("?")
    assert min(len(question.statistic), len(question.blind_to)) > 20
    assert 0 < question.limit * SUBGROUP_FACTOR < 0.72
    assert 0 <= question.share < 1
    assert (question.share == 0) == (question.reach is Reach.SUBGROUPS), "who watches the model needs a budget for it"
    assert question.needs_classes >= question.needs_refusal


def test_texts_differ_from_monitor_to_monitor() -> None:
    """No entry was copied and forgotten."""
    for field in ("asks", "statistic", "blind_to", "observe"):
        assert len({getattr(question, field) for question in QUESTIONS}) == len(QUESTIONS)
    assert {field.name for field in fields(Question)} >= {"asks", "statistic", "blind_to", "observe"}


@pytest.mark.parametrize("name", CATALOGUE)
def test_monitor_of_labels_hears_labels(name: str) -> None:
    """And no other: its clock counts labels."""
    needs_truth = "label" in CATALOGUE[name].statistic
    assert (CATALOGUE[name].stream is Stream.LABELS) == needs_truth


@pytest.mark.parametrize(
    ("classes", "names"), [(2, ("class 1",)), (3, ("class 0", "class 1", "class 2")), (MOST_CLASSES + 1, ()), (0, ())]
)
def test_mix_watches_every_class_unless_there_are_too_many(classes: int, names: tuple[str, ...]) -> None:
    """Of two classes one says it all."""
    assert CATALOGUE["mix"].variants(classes) == names


def test_monitors_of_one_question_have_one_variant() -> None:
    """Without a name."""
    for name in ONE:
        assert CATALOGUE[name].variants(5) == ("",)
    assert {question.name for question in QUESTIONS} - set(ONE) == {"confidence_shape", "mix", "calibration"}
