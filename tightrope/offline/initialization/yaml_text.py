"""The text of a first configuration: each line names its source in a comment."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

COMMENT_COLUMN = 34
"""The column of the comments, where a line is not longer."""

INDENT = "  "


@dataclass(frozen=True, slots=True)
class Line:
    """A line at a depth: a key, its value (None for a key above others), and the source in words."""

    depth: int
    key: str
    value: object
    source: str


def yaml_text(title: Sequence[str], lines: Sequence[Line]) -> str:
    """Write the lines as YAML, below a title of comments."""
    return "\n".join([*(f"# {line}" for line in title), *_written(lines), ""])


def _written(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        value = "" if line.value is None else f" {json.dumps(line.value, ensure_ascii=False)}"
        plain = isinstance(line.value, str) and _is_plain(line.value)
        text = f"{INDENT * line.depth}{line.key}:{f' {line.value}' if plain else value}"
        yield f"{text:<{COMMENT_COLUMN}} # {line.source}" if line.source else text


def _is_plain(text: str) -> bool:
    """Whether a text is the same in YAML without quotes."""
    begins = text[:1].isalpha() or text[:1] == "/" or text[:2] in {"./", ".."}
    return begins and all(each.isalnum() or each in "_./-" for each in text) and not _is_word(text)


def _is_word(text: str) -> bool:
    """Whether YAML reads a text as something else."""
    return text.lower() in {"true", "false", "yes", "no", "on", "off", "null", "y", "n", "inf", "nan"}
