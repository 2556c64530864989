"""A section of the configuration refuses unknown keys and changes."""

import pytest
from pydantic import ValidationError

from tightrope.service.config.section import Name, Section


class Example(Section):
    """A section with one name."""

    name: Name


def test_unknown_key_is_refused() -> None:
    """A misspelt key is an error, not a default."""
    with pytest.raises(ValidationError, match="nmae"):
        Example.model_validate({"name": "a", "nmae": "b"})


def test_section_is_frozen() -> None:
    """The configuration does not change while it is in use."""
    example = Example(name="a")
    with pytest.raises(ValidationError, match="frozen"):
        example.name = "b"


@pytest.mark.parametrize("name", ["", "a b", ".a", "-a", "a" * 101, "a/b"])
def test_name_is_safe_in_paths_and_metrics(name: str) -> None:
    """Names are letters, digits, `_`, `.` and `-`, and begin with a letter, a digit or `_`."""
    with pytest.raises(ValidationError, match="pattern"):
        Example(name=name)
