"""Read the options of a kind. Each error names the option, its value, and what would be right."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, TypeGuard

import numpy as np

from tightrope.monitors.compare import Scale
from tightrope.monitors.records import Floats, Role

_SCALES = (Scale.PROBABILITIES, Scale.LOGITS)
"""The scales of outputs that give probabilities; the first is the default."""


def wrong(name: str, value: object, right: str) -> ValueError:
    """The error of an option.

    >>> str(wrong("k", 0, "a whole number from 1"))
    'k: is 0; write a whole number from 1'
    """
    return ValueError(f"{name}: is {value!r}; write {right}")


def read_choice(options: Mapping[str, Any], name: str, choices: Sequence[str]) -> str:
    """One of several words; the first is the default."""
    value = options.get(name)
    if value is None:
        return choices[0]
    if value not in choices:
        raise wrong(name, str(value) if isinstance(value, str) else value, f"one of {', '.join(choices)}")
    return str(value)


def read_scales(options: Mapping[str, Any], default: Scale = Scale.PROBABILITIES) -> dict[Role, Scale]:
    """The scale of each role's deciding output: the same for both, or one of each role."""
    choices = (default, *(scale for scale in _SCALES if scale is not default))
    by_roles = by_role("scale", options.get("scale"), "a scale")
    return {role: Scale(read_choice({"scale": each}, "scale", choices)) for role, each in by_roles.items()}


def read_number(options: Mapping[str, Any], name: str, default: float = 0.0) -> float:
    """A finite number from 0; ``default`` where it is left out."""
    value = options.get(name)
    if value is None:
        return default
    if not is_number(value) or not isfinite(value) or value < 0:
        raise wrong(name, value, "a number from 0")
    return float(value)


def read_positive(options: Mapping[str, Any], name: str, *, needed_by: str | None = None) -> float | None:
    """A finite number above 0; where it is left out, None, or an error that names the choice that needs it."""
    value = options.get(name)
    if value is None:
        if needed_by is None:
            return None
        raise ValueError(f"{name}: is missing, and {needed_by} needs it; write a number above 0")
    if not is_number(value) or not isfinite(value) or value <= 0:
        raise wrong(name, value, "a number above 0")
    return float(value)


def read_count(options: Mapping[str, Any], name: str, default: int, most: int | None = None) -> int:
    """A whole number from 1."""
    value = options.get(name)
    if value is None:
        return default
    if not _is_whole(value) or value < 1 or (most is not None and value > most):
        raise wrong(name, value, "a whole number from 1" + ("" if most is None else f" to {most}"))
    return int(value)


def read_names(options: Mapping[str, Any], name: str, count: int | None = None) -> tuple[str, ...]:
    """A list of different names, ``count`` of them where that is known; empty where it is left out."""
    value = options.get(name)
    return () if value is None else check_names(name, value, count)


def check_names(name: str, value: object, count: int | None = None) -> tuple[str, ...]:
    """A value that must be a list of different names."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        raise wrong(name, value, "a list of names")
    if any(not isinstance(each, str) and not is_number(each) for each in value):
        raise wrong(name, value, "a list of names")
    names = tuple(str(each) for each in value)
    if repeated := next((each for each in names if names.count(each) > 1), None):
        raise wrong(name, value, f"each name once: {repeated!r} stands there {names.count(repeated)} times")
    if count is not None and len(names) != count:
        raise ValueError(f"{name}: has {len(names)} names, but the output has {count} columns; write {count} names")
    return names


def read_thresholds(options: Mapping[str, Any], name: str, columns: int | None) -> dict[Role, Floats]:
    """Thresholds by role, (1,) or (columns,), from a number, a list, or one of these for each role."""
    value = options.get(name)
    by_roles = by_role(name, 0.5 if value is None else value, "a threshold")
    return {role: _thresholds(name, each, columns) for role, each in by_roles.items()}


def by_role(name: str, value: object, item: str) -> dict[Role, object]:
    """A value for each role: the same for both, or a mapping that has both."""
    if not isinstance(value, Mapping):
        return dict.fromkeys(Role, value)
    if {*value} != {*Role}:
        raise wrong(name, dict(value), f"{item} for baseline and one for compressed")
    return {role: value[role] for role in Role}


def _thresholds(name: str, value: object, columns: int | None) -> Floats:
    values = [*value] if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) else [value]
    if not values or any(not is_number(each) or not 0 <= each <= 1 for each in values):
        raise wrong(name, value, "numbers between 0 and 1" if len(values) > 1 else "a number between 0 and 1")
    if columns is not None and len(values) not in {1, columns}:
        raise ValueError(f"{name}: has {len(values)} numbers, but the output has {columns} columns; write {columns}")
    return np.array(values, np.float64)


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a number; a boolean is not."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
