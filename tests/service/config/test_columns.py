"""Words for input columns, and the mode of the search."""

from typing import Any

import pytest
from pydantic import ValidationError

from tightrope.service.config.models import ModelSection

PAIR = {"baseline": "b.onnx", "compressed": "c.onnx"}


def section(**keys: Any) -> ModelSection:  # noqa: ANN401 - any key
    """The section of a model."""
    return ModelSection.model_validate({**PAIR, **keys})


def test_columns_are_named_by_number_or_by_input_and_number() -> None:
    """As YAML reads the keys; codes are numbers."""
    columns = section(columns={3: {"title": "residence", "codes": {17: "group quarters"}}, "x:0": {}, "4": {}}).columns
    assert 4 in columns
    assert columns[3].codes == {17.0: "group quarters"}
    assert columns["x:0"].title is None
    assert columns["x:0"].searched


@pytest.mark.parametrize("key", [-1, "x", "x:", "x:one"])
def test_other_keys_are_refused(key: object) -> None:
    """A name alone is no column; one sentence says what is."""
    with pytest.raises(ValidationError, match="must be the number of a column, from 0"):
        section(columns={key: {}})


def test_found_groups_move_no_traffic_unless_it_is_written() -> None:
    """The search is advisory."""
    assert section().hunter == "advisory"
    assert [section(hunter=mode).hunter for mode in ("off", "arm")] == ["off", "arm"]
