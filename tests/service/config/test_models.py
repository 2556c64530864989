"""The sections of one model; test_loader.py tests whole files."""

from typing import Any

import pytest
from pydantic import ValidationError

from docs.key_texts import key_texts
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.dependence.units import Independence
from tightrope.monitors.intake.repeats import Repeats
from tightrope.service.config.models import LabelsSection, LatencySection, ModelSection
from tightrope.service.config.section import Section
from tightrope.service.config.subgroups import Range, SubgroupSection


def model(**keys: Any) -> ModelSection:  # noqa: ANN401 - as it is written
    """A model section with these keys."""
    return ModelSection.model_validate({"baseline": "b.onnx", "compressed": "c.onnx", **keys})


def test_two_files_are_enough() -> None:
    """All other keys have defaults."""
    section = model()
    assert (section.repeats, section.lanes, section.noise_share) == (Repeats.DISTINCT, 1, 0.01)
    assert (section.latency, section.labels, section.golden, section.refusal) == (None, None, None, None)


@pytest.mark.parametrize("repeats", Repeats)
def test_repeats_are_configured_by_their_values(repeats: Repeats) -> None:
    """As in the plan."""
    assert model(repeats=repeats.value).repeats is repeats


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"lanes": 2}, "lanes: more than 1 needs independence: request"),
        ({"lanes": 2, "independence": "window"}, "it is window"),
        ({"independence": "caller"}, "independence: caller needs the key caller"),
        ({"independence": "row"}, "input should be 'auto', 'request', 'caller' or 'window'"),
    ],
)
def test_unit_of_evidence_that_cannot_be_is_refused(keys: dict[str, Any], words: str) -> None:
    """Lanes part rows that depend on each other, and callers must be named."""
    with pytest.raises(ValidationError, match=f"(?i){words}"):
        model(**keys)


def test_unit_of_evidence_is_configured_by_its_values() -> None:
    """By default rows are watched for dependence."""
    assert model().independence is Independence.AUTO
    assert model(lanes=4, independence="request").lanes == 4
    assert model(independence="caller", caller={"header": "X-Account"}).independence is Independence.CALLER


def test_empty_labels_section_enables_labels() -> None:
    """With a horizon of two days. An objective for latency needs its seconds."""
    assert model(labels={}).labels == LabelsSection(horizon_seconds=172_800)
    assert model(latency={"seconds": 0.5}).latency == LatencySection(seconds=0.5, limit=0.01)


@pytest.mark.parametrize("monitor", CATALOGUE)
def test_every_monitor_can_be_limited_or_disabled(monitor: str) -> None:
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
def test_codes_have_three_forms(values: dict[str, object], cut: dict[str, object]) -> None:
    """Numbers, strings, or a range, open where a bound is left out."""
    assert SubgroupSection.model_validate({"column": 3, "values": values}).cut == (3, cut)


def test_subgroup_of_a_parameter_has_no_column() -> None:
    """Its values are names."""
    subgroup = SubgroupSection.model_validate({"parameter": "region", "values": ["north", "south"]})
    assert (subgroup.cut, subgroup.values) == ((0, {}), ["north", "south"])


def test_spellings_that_count_may_differ_in_case() -> None:
    """Without normalising, and texts of one value."""
    exact = {"parameter": "p", "values": ["GQ", "gq"], "normalise": []}
    assert SubgroupSection.model_validate(exact).texts == {"GQ": ["GQ"], "gq": ["gq"]}
    several = {"column": 0, "values": {"gq": ["GQ", "gq"], "n": ["x"]}}
    assert SubgroupSection.model_validate(several).texts == {"gq": ["GQ", "gq"], "n": ["x"]}
    assert SubgroupSection.model_validate({"column": 0, "values": {"a": [1], "b": {"low": 2}}}).texts["a"] == []


def all_sections(kind: type[Section] = Section) -> list[type[Section]]:
    """Every section class."""
    return [one for child in kind.__subclasses__() for one in (child, *all_sections(child))]


@pytest.mark.parametrize("section", all_sections(), ids=lambda section: section.__name__)
def test_section_is_frozen_documented_and_knows_its_keys(section: type[Section]) -> None:
    """An unknown key is an error, and every key has a text."""
    assert section.model_config["frozen"]
    assert section.__doc__
    assert set(section.model_fields) - {*key_texts(section)} == set()
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        section.model_validate({"no_such_key": 1})
