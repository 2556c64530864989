"""The monitors of labelled rows are a part of the catalogue; accuracy watches subgroups, too."""

from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.definitions.definition import Need, Reach
from tightrope.monitors.definitions.label_monitors import LABEL_MONITORS
from tightrope.monitors.records import Stream


def test_label_monitors_are_those_of_the_stream_of_labels() -> None:
    """All of them, in the same order, and no others."""
    assert [monitor for monitor in CATALOGUE.values() if monitor.stream is Stream.LABELS] == list(LABEL_MONITORS)


def test_label_monitors_need_a_class_that_a_label_can_confirm() -> None:
    """All of them."""
    assert all(Need.LABELS in monitor.needs for monitor in LABEL_MONITORS)


def test_accuracy_watches_every_scope_and_the_others_the_model_alone() -> None:
    """Few labels fall into a subgroup: what needs thousands of them is watched for the model."""
    assert {monitor.name for monitor in LABEL_MONITORS if monitor.reach is Reach.ALL} == {"accuracy"}
    assert {monitor.reach for monitor in LABEL_MONITORS if monitor.name != "accuracy"} == {Reach.MODEL}
