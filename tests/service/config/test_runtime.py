"""The options of onnxruntime: which of them change answers, and which contradict each other."""

import pytest
from pydantic import ValidationError

from tightrope.service.config.runtime import RuntimeSection


def test_precise_products_are_an_option_that_changes_answers() -> None:
    """It is in digests where it is on: off, they are those of before it existed."""
    assert "precise_int8" not in RuntimeSection().answer_options
    assert RuntimeSection(precise_int8=True).answer_options == {
        **RuntimeSection().answer_options,
        "precise_int8": True,
    }
    assert RuntimeSection(threads=4).answer_options == RuntimeSection().answer_options
    assert set(RuntimeSection().answer_options) == {"providers", "provider_options", "optimization"}


def test_parallel_nodes_need_a_parallel_execution() -> None:
    """The error says so."""
    with pytest.raises(ValidationError, match="needs execution: parallel"):
        RuntimeSection(node_threads=2)
