from pydantic import BaseModel, Field

from docs.key_texts import key_texts


class Inherited(BaseModel):
    """A section."""

    first: int = 1
    """The first key,
    in two lines.
    """

    silent: int = 2

    second: int = Field(default=3)
    """The second key."""


class Whole(Inherited):
    """A section with the keys of another one."""

    second: int = 4
    """The second key, with another text."""

    third: int = 5
    """The third key."""


def test_text_belongs_to_the_key_above_it() -> None:
    """Also where the key is inherited; a key without a text has none."""
    assert key_texts(Inherited) == {"first": "The first key,\nin two lines.", "second": "The second key."}
    assert key_texts(Whole) == {
        "first": "The first key,\nin two lines.",
        "second": "The second key, with another text.",
        "third": "The third key.",
    }
