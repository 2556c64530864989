"""The configuration of input columns: words for people. A field's text gives its meaning; docs/configuration.md is made
of them.
"""

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from tightrope.service.config.section import Section

Words: TypeAlias = Annotated[str, Field(min_length=1, max_length=100)]
Code: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]


def _a_column(key: int | str) -> int | str:
    """Refuse a key that names no column."""
    if re.fullmatch(r"\d{1,9}", str(key)):
        return int(key)
    if re.fullmatch(r".+:\d{1,9}", str(key)):
        return key
    raise ValueError("must be the number of a column, from 0, or the input's name and that number, such as x:3")


ColumnKey: TypeAlias = Annotated[int | str, AfterValidator(_a_column)]
"""The number of a column, from 0; after the name of the input and a colon where there are several inputs."""


SearchMode: TypeAlias = Literal["advisory", "arm", "off"]
"""The use of the search for undeclared groups."""


class ColumnSection(Section):
    """One input column, in words for people."""

    title: Words | None = None
    """The name of the column, such as residence; its number if left out. NAME is the number of the column, from 0, with
    the input's name and a colon before it where there are several inputs, such as x:3.
    """
    codes: dict[Code, Words] = Field(default_factory=dict)
    """The code book: for a value of the column, its meaning, such as 17: group quarters."""
    searched: bool = True
    """Whether the column is searched for undeclared groups; if not, its values stay out of comparisons."""
