"""The configuration of input columns: words for people. A field's text gives its meaning; docs/configuration.md is made
of them.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from tightrope.service.adapters.journal.column_redaction import OTHER_COLUMNS, ColumnWay
from tightrope.service.adapters.journal.redaction import IdWay
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


class RedactSection(Section):
    """The part of a model's rows that is left out of the record of its judgement, before it is written. `redact: all`
    is the short form of the defaults, `redact: none` of `columns: {"*": keep}`.
    """

    ids: IdWay = "hash"
    """The ids of requests. hash: digests under the key `ids.secret` of the state folder; drop: numbers that only tell
    which rows belong to one request; keep: the ids themselves.
    """
    columns: dict[Words, ColumnWay] = Field(default={OTHER_COLUMNS: "drop"})
    """The values of an input column, by its number, from 0, its title, or with its input's name, such as x:3; `*` is
    for all others. drop: nothing; hash: digests; bin: the bin in which the search for undeclared groups has them,
    which needs `golden`; keep: themselves. Texts and images are never recorded, only a hash of the input.
    """

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:  # noqa: ANN401 - any YAML
        """A word alone is about all columns."""
        words = {"all": {}, "none": {"columns": {OTHER_COLUMNS: "keep"}}}
        if isinstance(value, str) and value not in words:
            raise ValueError("must be all, none, or a map with ids: and columns:")
        return words[value] if isinstance(value, str) else _with_text_keys(value)


def _with_text_keys(value: Any) -> Any:  # noqa: ANN401 - any YAML
    """The section with keys of columns that are texts: YAML reads 3 as a number."""
    if isinstance(value, Mapping) and isinstance(columns := value.get("columns"), Mapping):
        return {**value, "columns": {str(key): way for key, way in columns.items()}}
    return value


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
