"""A section of tensors tells whether anything is written in it."""

from tightrope.service.config.tensors import TensorsSection


def test_section_without_keys_is_empty() -> None:
    """One name is enough to fill it."""
    assert TensorsSection().is_empty
    assert not TensorsSection(inputs={"a": "x"}).is_empty
