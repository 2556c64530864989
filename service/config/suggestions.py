"""Suggestions for misspelt names and keys: the nearest of those that exist."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher, get_close_matches
from itertools import zip_longest
from typing import Any, get_args, get_origin

from tightrope.service.config.section import FORM_TAG_PREFIX, Section

LEAST_SIMILARITY = 0.77
"""Similarity from which a name is suggested: 1 is equal, 0 has nothing in common."""


SCOPE_SIGN = "="
"""Between the attribute and the value in the name of a subgroup."""


def did_you_mean(known: Iterable[str], *names: str) -> str:
    """The end of an error message that suggests the nearest known names; empty if none is near.

    >>> did_you_mean(["confidence", "disagreement"], "disagrement")
    "; did you mean 'disagreement'?"
    """
    known, near = list(known), dict[str, None]()
    for name in names:
        near |= dict.fromkeys(get_close_matches(name, [each for each in known if _near(name, each)], n=1))
    return f"; did you mean {' and '.join(map(repr, near))}?" if near else ""


def _near(name: str, known: str) -> bool:
    """Whether names are near, of subgroups the attribute and the value: in all of it one says little of the other."""
    parts = list(zip_longest(name.split(SCOPE_SIGN), known.split(SCOPE_SIGN), fillvalue=""))
    return all(SequenceMatcher(None, *pair).ratio() >= LEAST_SIMILARITY for pair in parts)


def unknown_key(section: type[Section], location: Sequence[int | str]) -> str:
    """The error of a key at a location of the file that the sections there do not have."""
    *above, key = location
    return f"there is no such key{did_you_mean(known_keys(section, above), str(key))}"


def known_keys(section: type[Section], location: Sequence[int | str]) -> set[str]:
    """The keys of the sections that may stand at this location of the file, as pydantic reports it; empty if none."""
    found: list[Any] = [section]
    for part in location:
        if not str(part).startswith(FORM_TAG_PREFIX):
            found = [below for annotation in found for below in _descend(annotation, str(part))]
    return {key for annotation in found for each in _sections(annotation) for key in each.model_fields}


def _descend(annotation: object, part: str) -> Iterator[Any]:
    """Yield the types of the values under a key, an index or a field of a type."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        if part in annotation.model_fields:
            yield annotation.model_fields[part].annotation
    elif get_origin(annotation) in {dict, list}:
        yield get_args(annotation)[-1]
    else:
        for argument in get_args(annotation):
            yield from _descend(argument, part)


def _sections(annotation: object) -> Iterator[type[Section]]:
    """Yield the sections among the forms that a value of this type may have."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    elif get_origin(annotation) not in {dict, list}:
        for argument in get_args(annotation):
            yield from _sections(argument)
