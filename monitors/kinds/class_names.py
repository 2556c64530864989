"""Names of classes by role: models with fewer classes, or with another order of them, are mapped by these names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tightrope.monitors.kinds.options import by_role, check_names
from tightrope.monitors.records import Ints, Role


@dataclass(frozen=True, slots=True)
class ClassNames:
    """The classes of a pair, and for each role the class that each of its own positions stands for.

    >>> names = ClassNames.of({Role.BASELINE: ("cat", "dog", "owl"), Role.COMPRESSED: ("owl", "cat")})
    >>> names.classes, names.positions[Role.COMPRESSED].tolist()
    (('cat', 'dog', 'owl'), [2, 0])
    """

    classes: tuple[str, ...]
    positions: Mapping[Role, Ints]

    @classmethod
    def of(cls, names: Mapping[Role, tuple[str, ...]]) -> "ClassNames":
        """Join the names of both roles: the baseline's in their order, then those that only the other has."""
        baseline, compressed = names[Role.BASELINE], names[Role.COMPRESSED]
        known = set(baseline)
        classes = (*baseline, *(name for name in compressed if name not in known))
        index = {name: position for position, name in enumerate(classes)}
        return cls(classes, {role: np.array([index[name] for name in names[role]], np.int64) for role in Role})


def read_class_names(options: Mapping[str, Any], count: int | None = None) -> ClassNames | None:
    """The option ``classes``: names for both models, or for each role; None where it is left out.

    Raises:
        ValueError: when it is no list of names, the baseline has not ``count`` of them, or no class is known to both.
    """
    value = options.get("classes")
    if value is None:
        return None
    counts = {Role.BASELINE: count, Role.COMPRESSED: None if isinstance(value, Mapping) else count}
    names = {role: check_names("classes", each, counts[role]) for role, each in _lists(value).items()}
    if not {*names[Role.BASELINE]} & {*names[Role.COMPRESSED]}:
        raise ValueError("classes: baseline and compressed have no class in common; write the same names for both")
    return ClassNames.of(names)


def integer_labels(options: Mapping[str, Any], names: ClassNames) -> dict[Role, tuple[Ints, Ints]]:
    """The integers, ascending, that stand for classes in each role's labels, and these classes: the classes themselves
    where all are integers, as in ``classes: [10, 20]``, else their positions.
    """
    labels = {}
    for role, value in _lists(options["classes"]).items():
        positions = names.positions[role]
        integers = [each for each in value if isinstance(each, int)] if isinstance(value, list | tuple) else []
        values = np.array(integers if len(integers) == len(positions) else range(len(positions)), np.int64)
        order = values.argsort()
        labels[role] = values[order], positions[order]
    return labels


def _lists(value: object) -> dict[Role, object]:
    return by_role("classes", value, "the names")
