"""The lines that declare a found group are a configuration that is accepted, and cut the same rows."""

import numpy as np
import pytest
from ruamel.yaml import YAML

from tightrope.monitors.hunter.columns import InputColumn, Layout, Predicate
from tightrope.monitors.hunter.declaration import declaration
from tightrope.monitors.hunter.findings import FoundGroup
from tightrope.service.config.models import ModelSection
from tightrope.service.config.subgroups import Range

RESIDENCE = InputColumn("x", 3, "residence type", {17.0: "group quarters"}, is_titled=True)
LAYOUT = Layout((InputColumn("x", 0, "column 0"), RESIDENCE), ("sex=f",))
ABOVE = float(np.nextafter(24.0, np.inf))


def lines(*predicates: Predicate, layout: Layout = LAYOUT) -> str:
    """The lines of a group with these predicates."""
    return declaration("m", FoundGroup(1, predicates, 0.1, 384, 0.0, 60, 0.0, 20.0, 28.0, 18.0), layout)


def section(text: str) -> ModelSection:
    """The section of the model, as the loader reads it."""
    read = YAML(typ="safe").load(text)["models"]["m"]
    return ModelSection.model_validate({"baseline": "b.onnx", "compressed": "c.onnx", **read})


def test_value_is_declared_by_its_words() -> None:
    """Blanks have no place in names."""
    subgroup = section(lines((1, 17.0, 17.0))).subgroups["residence_type"]
    assert (subgroup.column, subgroup.values) == (3, {"group_quarters": [17.0]})


@pytest.mark.parametrize(
    ("predicate", "value", "codes"),
    [
        ((0, 17.5, 17.5), "value_17.5", [17.5]),
        ((0, -np.inf, 24.0), "low", Range(high=24.0)),
        ((0, ABOVE, np.inf), "high", Range(low=ABOVE)),
    ],
)
def test_untitled_columns_are_declared_by_number(predicate: Predicate, value: str, codes: object) -> None:
    """Ends of ranges are exact."""
    assert section(lines(predicate)).subgroups["column_0"].values == {value: codes}


def test_parts_of_a_pair_are_declared_one_by_one() -> None:
    """A subgroup is cut from one column."""
    text = lines((0, -np.inf, 24.0), (1, 17.0, 17.0))
    assert {*section(text).subgroups} == {"column_0", "residence_type"}
    assert "# a subgroup has one column: these are larger than the group that was found" in text


def test_parts_that_cannot_be_declared_are_told() -> None:
    """The answer is not known before a request is routed, and a declared value is declared already."""
    assert "# left out: confidence below 0.6" in lines((1, 17.0, 17.0), (3, 0.0, float(np.nextafter(0.6, 0))))
    assert "# left out: sex: f" in lines((4, 1.0, 1.0), (1, 17.0, 17.0))
    assert lines((2, 1.0, 1.0)) == ""


def test_input_is_named_where_there_are_several() -> None:
    """Without it the column would be a mistake."""
    layout = Layout((InputColumn("x", 0, "x, column 0"), InputColumn("y", 0, "y, column 0")), ())
    assert section(lines((1, 2.0, 2.0), layout=layout)).subgroups["y_column_0"].input == "y"
