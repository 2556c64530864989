"""The base of all JSON bodies of the API outside inference."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_FIELDS = 100
"""Fields of a body: an error is made of each that is unknown."""


ActorName = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=200,
        description="The name for the audit trail. The token of a named operator decides it, whatever stands here",
    ),
]
"""The name of the person who gives an order."""


class RequestBody(BaseModel):
    """A body without unknown fields, in which null means that a field is absent, as common clients send it."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, body: object) -> object:
        """Leave out the fields that are null, also those of an object in a field."""
        if not isinstance(body, dict):
            return body
        if len(body) > MAX_FIELDS:
            raise ValueError(f"has {len(body)} fields, may have at most {MAX_FIELDS}")
        fields = _present(body)
        return {name: _present(value) if isinstance(value, dict) else value for name, value in fields.items()}


def _present(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
