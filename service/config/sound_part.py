"""The part of a configuration file without field errors, so that a check of the file goes on beyond them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tightrope.service.config.loader import ConfigError, Settings, folder_of, read_document, resolve_settings
from tightrope.service.config.section import FORM_TAG_PREFIX


@dataclass(frozen=True, slots=True)
class SoundPart:
    """The settings that are left, and by model the keys of its section that were lost, in whole or in part."""

    settings: Settings
    lost: Mapping[str, set[str]]


def sound_part(path: Path) -> SoundPart | None:
    """The settings that are left of a file without the keys that have errors; None if no model is."""
    try:
        document = read_document(path)
    except ConfigError:
        return None
    lost: dict[str, set[str]] = {}
    while True:
        try:
            settings = Settings.model_validate(document)
        except ValidationError as error:
            locations = [each["loc"] for each in error.errors(include_url=False)]
            for location in locations:
                if location[:1] == ("models",) and location[1:]:
                    lost.setdefault(str(location[1]), set()).update(map(str, location[2:3]))
            removed = [_remove(document, location) for location in reversed(locations)]
            if not all(removed):
                return None
        else:
            return SoundPart(resolve_settings(settings, folder_of(path)), lost)


def _remove(document: object, location: Sequence[int | str]) -> bool:
    """Remove the innermost key or index of a location that the document has; False if it has none."""
    holder: Any = None
    last, value = None, document
    for part in (part for part in location if not str(part).startswith(FORM_TAG_PREFIX)):
        is_there = part in value if isinstance(value, dict) else isinstance(value, list) and part in range(len(value))
        if not is_there:
            break
        holder, last = value, part
        value = holder[part]
    if holder is None:
        return False
    del holder[last]
    return True
