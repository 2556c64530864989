"""The content of a card before it is Markdown or HTML: sections of sentences and tables.

Every text is plain; the renderers escape it. A source names the field that a figure was read from, such as `q:cell 12`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

NOT_TOLD = "not told"
"""The text for a fact that no source gives: nothing is guessed."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with the sources of its figures. ``tone`` is `good`, `bad`, `open`, or empty."""

    text: str
    sources: Sequence[str] = ()
    tone: str = ""


@dataclass(frozen=True, slots=True)
class CardRow:
    """One row of a table; its last column shows the ``sources``."""

    cells: Sequence[str]
    sources: Sequence[str] = ()
    tone: str = ""


@dataclass(frozen=True, slots=True)
class CardTable:
    """A table. The first column names the row; ``numbers`` are the columns of figures, by their index."""

    caption: str
    head: Sequence[str]
    rows: Sequence[CardRow]
    numbers: frozenset[int] = frozenset()


CardBlock: TypeAlias = Sentence | CardTable


@dataclass(frozen=True, slots=True)
class CardSection:
    """A heading with what stands below it."""

    title: str
    blocks: Sequence[CardBlock]


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The fields of Hugging Face's model cards. A metric is a type, a name, a value and its
    source.
    """

    model: str
    base_model: str
    license: str | None
    dataset: str
    metrics: Sequence[tuple[str, str, float, str]]


@dataclass(frozen=True, slots=True)
class CardContent:
    """A whole card. ``stamp`` is one line for programs: by it the card can be made again."""

    title: str
    lead: Sequence[Sentence]
    sections: Sequence[CardSection]
    stamp: str
    front: FrontMatter = field(kw_only=True)


def printable(text: str) -> str:
    r"""The text with line ends as spaces, and everything else that cannot be printed escaped.

    >>> printable("a\r\nb\x1b")
    'a b\\x1b'
    """
    joined = " ".join(text.splitlines())
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in joined)
