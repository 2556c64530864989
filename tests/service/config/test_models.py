"""The sections of one model: what may be written in them, and what they mean; whole files are test_settings.py's."""

from typing import Any

import pytest
from pydantic import ValidationError

from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.plan import Repeats
from tightrope.service.config.models import Labels, Latency, Model, Range, Section, Subgroup


def model(**keys: Any) -> Model:  # noqa: ANN401 - as it is written
    """A model with these keys."""
    return Model.model_validate({"baseline": "b.onnx", "compressed": "c.onnx", **keys})


def test_two_files_are_enough() -> None:
    """Everything else has a default."""
    said = model()
    assert (said.repeats, said.lanes, said.noise_share) == (Repeats.RETRIES, 1, 0.01)
    assert (said.latency, said.labels, said.golden, said.refusal) == (None, None, None, None)


@pytest.mark.parametrize("repeats", Repeats)
def test_repeats_are_spelled_as_they_are_called(repeats: Repeats) -> None:
    """As the plan knows them."""
    assert model(repeats=repeats.value).repeats is repeats


def test_empty_section_of_labels_switches_them_on() -> None:
    """With a horizon of two days; an objective for latency needs its seconds."""
    assert model(labels={}).labels == Labels(horizon_seconds=172_800)
    assert model(latency={"seconds": 0.5}).latency == Latency(seconds=0.5, limit=0.01)


@pytest.mark.parametrize("monitor", CATALOGUE)
def test_every_monitor_can_be_limited_and_switched_off(monitor: str) -> None:
    """By its name."""
    assert model(limits={monitor: None}, subgroup_limits={monitor: 0.1}).limits == {monitor: None}
    assert model(limits={monitor: 0.5}).limits == {monitor: 0.5}


@pytest.mark.parametrize(
    ("values", "cut"),
    [
        ({"a": [1, 2]}, {"a": [1.0, 2.0]}),
        ({"a": ["x", "y"]}, {"a": ["x", "y"]}),
        ({"a": {"low": 1}}, {"a": Range(low=1)}),
        ({"a": {}}, {"a": Range()}),
    ],
)
def test_codes_are_written_in_three_ways(values: dict[str, object], cut: dict[str, object]) -> None:
    """Numbers, strings, or a range that is open where nothing is said."""
    assert Subgroup.model_validate({"column": 3, "values": values}).cut == (3, cut)


def test_told_subgroup_is_not_cut() -> None:
    """Its values are names."""
    said = Subgroup.model_validate({"parameter": "region", "values": ["north", "south"]})
    assert (said.cut, said.values) == ((0, {}), ["north", "south"])


def all_sections(kind: type[Section] = Section) -> list[type[Section]]:
    """Every section there is."""
    return [one for child in kind.__subclasses__() for one in (child, *all_sections(child))]


@pytest.mark.parametrize("section", all_sections(), ids=lambda section: section.__name__)
def test_section_is_frozen_documented_and_knows_its_keys(section: type[Section]) -> None:
    """A misspelt key is a mistake, and every key says what it means."""
    assert section.model_config["frozen"]
    assert section.__doc__
    assert [name for name, field in section.model_fields.items() if not field.description] == []
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        section.model_validate({"no_such_key": 1})
