"""The recipes that `--make` names: which variants are made, and how."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tightrope.service.config.loader import ConfigError

CALIBRATION_ROWS = 512
"""Rows of those that choose from which static quantization learns the ranges of activations."""

SPARSITY_STEP = 0.2
"""The step between the sparsities of a range."""

FORMS = "dynamic, static, fp16, prune:0.5 or prune:0.3:0.9"


class Technique(StrEnum):
    """The technique of a maker, as a manifest names it."""

    DYNAMIC = "dynamic quantization"
    STATIC = "static quantization"
    HALF = "half precision"
    PRUNING = "magnitude pruning"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A variant to be made: its name, its technique, and the ``options`` that the manifest lists."""

    name: str
    technique: Technique
    options: Mapping[str, str | int | float | bool]


DYNAMIC = tuple(
    Recipe(name, Technique.DYNAMIC, {"bits": 8, "weights": weights, "per_channel": per_channel})
    for name, weights, per_channel in (
        ("dynamic-u8", "u8", False),
        ("dynamic-s8", "s8", False),
        ("dynamic-s8-per-channel", "s8", True),
    )
)
STATIC = Recipe("static", Technique.STATIC, {"bits": 8, "format": "QDQ", "calibration_rows": CALIBRATION_ROWS})
HALF_PRECISION = Recipe("fp16", Technique.HALF, {"bits": 16})


def read_recipes(text: str) -> list[Recipe]:
    """Read the value of `--make`, such as "dynamic,fp16,prune:0.3:0.9".

    Raises:
        ConfigError: naming the part that is no recipe.
    """
    recipes = {recipe.name: recipe for part in text.split(",") if part.strip() for recipe in _read(part.strip())}
    if not recipes:
        raise ConfigError([f"--make: is {text!r}; it should be some of {FORMS}"])
    return [*recipes.values()]


def _read(part: str) -> Sequence[Recipe]:
    name, *levels = part.split(":")
    if not levels and name in {"dynamic", "static", "fp16"}:
        return {"dynamic": DYNAMIC, "static": (STATIC,), "fp16": (HALF_PRECISION,)}[name]
    try:
        sparsities = [float(level) for level in levels]
    except ValueError:
        sparsities = []
    if name != "prune" or len(sparsities) not in {1, 2} or not all(0 < level < 1 for level in sparsities):
        raise ConfigError([f"--make: {part!r} is no recipe; there are {FORMS}, sparsities between 0 and 1"])
    return [_pruning(level) for level in _range(sparsities[0], sparsities[-1])]


def _pruning(sparsity: float) -> Recipe:
    return Recipe(f"prune-{sparsity:g}", Technique.PRUNING, {"sparsity": sparsity})


def _range(first: float, last: float) -> Iterator[float]:
    """The sparsities from the first to the last one, both included."""
    level = first
    while level < last - SPARSITY_STEP / 100:
        yield round(level, 6)
        level += SPARSITY_STEP
    yield last
