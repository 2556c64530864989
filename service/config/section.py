"""The base of every section of the configuration file, and the names in it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"

KEY_OF_A_MAP = "[key]"
"""The part of a location that stands for the key of a map before it."""

FORM_TAG_PREFIX = "<"
"""First character of the tag of each form that a value may have. No name begins with it, so tags differ from keys."""

Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Section(BaseModel):
    """A section of the file: frozen; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
