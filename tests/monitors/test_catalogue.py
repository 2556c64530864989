"""Every monitor is documented, funded, and observes the stream that it declares."""

from dataclasses import fields

import pytest

from tightrope.monitors.catalogue import (
    ADDED_SHARE,
    CATALOGUE,
    HOST_SHARE,
    MAX_ADDED,
    MAX_CLASSES,
    MAX_MODEL_CLASSES,
    OTHER_CLASSES,
    SEARCH_SHARE,
    SLOT_SHARE,
    SUBGROUP_SHARE,
)
from tightrope.monitors.definitions.definition import SUBGROUP_FACTOR, MonitorDefinition, Need, Reach
from tightrope.monitors.records import Stream

MONITORS = list(CATALOGUE.values())
WITHOUT_VARIANTS = (
    "disagreement",
    "clear_disagreement",
    "confidence",
    "bias",
    "refusal_rate",
    "refusal_persistence",
    "accuracy",
    "excess_risk",
    "brier",
)
"""The monitors without variants."""


def test_shares_of_the_alarm_budget_sum_to_one() -> None:
    """Those of the model, subgroups, the search and added groups. No decision has a confidence and a value."""
    kept = SUBGROUP_SHARE + SEARCH_SHARE + SLOT_SHARE + MAX_ADDED * ADDED_SHARE + HOST_SHARE
    assert sum(monitor.share for monitor in MONITORS if Need.VALUE not in monitor.needs) + kept == pytest.approx(1)
    assert sum(monitor.share for monitor in MONITORS if Need.CONFIDENCE not in monitor.needs) + kept < 1
    assert SUBGROUP_SHARE > 0
    assert SUBGROUP_FACTOR >= 1


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_monitor_is_documented(name: str) -> None:
    """An entry has a question, a statistic, a blind spot, its own name as key, and a limit that can be exceeded."""
    monitor = CATALOGUE[name]
    assert monitor.name == name
    assert name.isidentifier()
    assert monitor.question.endswith("?")
    assert min(len(monitor.statistic), len(monitor.blind_to)) > 20
    assert 0 < monitor.limit * monitor.subgroup_factor < 0.72
    assert 0 <= monitor.share < 1
    assert (monitor.share == 0) == (monitor.reach is Reach.SUBGROUPS), "a monitor of the model needs a budget for it"
    assert not monitor.needs_refusal or Need.CONFIDENCE in monitor.needs


def test_texts_differ_from_monitor_to_monitor() -> None:
    """No entry is a forgotten copy."""
    for field in ("question", "statistic", "blind_to"):
        assert len({getattr(monitor, field) for monitor in MONITORS}) == len(MONITORS)
    assert len({(monitor.observe, monitor.class_of) for monitor in MONITORS}) == len(MONITORS)
    assert {field.name for field in fields(MonitorDefinition)} >= {"question", "statistic", "blind_to", "observe"}


@pytest.mark.parametrize("name", CATALOGUE)
def test_label_monitors_read_the_stream_of_labels(name: str) -> None:
    """Monitors whose statistic mentions labels count labels, and no others do."""
    needs_truth = "label" in CATALOGUE[name].statistic
    assert (CATALOGUE[name].stream is Stream.LABELS) == needs_truth


@pytest.mark.parametrize(
    ("classes", "names"), [(2, ("class 1",)), (3, ("class 0", "class 1", "class 2")), (MAX_CLASSES + 1, ()), (0, ())]
)
def test_mix_watches_every_class_unless_there_are_too_many(classes: int, names: tuple[str, ...]) -> None:
    """With two classes, one variant suffices."""
    assert CATALOGUE["mix"].variants(classes) == names


def test_classes_are_watched_one_by_one_up_to_a_maximum() -> None:
    """Both of two classes as well; beyond the maximum the last variant has all others."""
    assert CATALOGUE["class_miss"].variants(2) == ("class 0", "class 1")
    many = CATALOGUE["class_gain"].variants(MAX_MODEL_CLASSES + 1)
    assert (len(many), many[-2:]) == (MAX_MODEL_CLASSES, (f"class {MAX_MODEL_CLASSES - 2}", OTHER_CLASSES))
    assert OTHER_CLASSES not in CATALOGUE["class_gain"].variants(MAX_MODEL_CLASSES)
    assert CATALOGUE["class_miss"].variants(0) == ()


def test_monitors_of_one_question_have_one_variant() -> None:
    """The single variant has no name."""
    for name in WITHOUT_VARIANTS:
        assert CATALOGUE[name].variants(5) == ("",)
    assert {monitor.name for monitor in MONITORS} - set(WITHOUT_VARIANTS) == {
        "confidence_shape",
        "confidence_jump",
        "mix",
        "class_miss",
        "class_gain",
        "calibration",
    }
