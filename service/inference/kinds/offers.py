"""The monitors that a decision can have: what it offers of what they need, their variants and default limits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tightrope.monitors import observations
from tightrope.monitors.catalogue import CATALOGUE, MAX_CLASSES, MAX_MODEL_CLASSES, class_variants
from tightrope.monitors.compare import Scale
from tightrope.monitors.definitions.definition import MonitorDefinition, Need, Reach
from tightrope.monitors.kinds.seam import DecisionKind
from tightrope.monitors.observations import Observed
from tightrope.monitors.records import Comparisons, Ints
from tightrope.service.config.decision import DecisionSection
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.kinds.class_cells import VariantOfClass, chosen_classes
from tightrope.service.inference.kinds.kind_building import default_limit
from tightrope.service.protocol.tensors import TensorSpec

LOSS_MONITOR, MIX = CATALOGUE["disagreement"], CATALOGUE["mix"]
CLEAR_MONITOR = CATALOGUE["clear_disagreement"]
CLASS_MONITORS = ("class_miss", "class_gain")

BINARY_CLASSES = 2


def class_count(spec: TensorSpec) -> int:
    """Classes of a decision output, where one column is the probability of class 1; 0 if the number is free."""
    width = next((side for side in spec.shape[1:] if side != 1), 1)
    return BINARY_CLASSES if width == 1 else max(width, 0)


@dataclass(frozen=True, slots=True)
class Offer:
    """The offer of a decision to monitors. ``classes`` are numbered unless they have ``names``; ``limits`` replaces
    default limits, ``observe`` observations; ``fractional`` names the rates whose observations lie between 0 and 1;
    ``chosen`` are the classes with a cell of their own where they are too many.
    """

    needs: frozenset[Need]
    classes: int = 0
    names: tuple[str, ...] = ()
    every_class: tuple[str, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    observe: Mapping[str, Callable[[Comparisons, int], Observed]] = field(default_factory=dict)
    fractional: frozenset[str] = frozenset()
    chosen: tuple[int, ...] | None = None

    def variants(self, monitor: MonitorDefinition) -> tuple[str, ...]:
        """The variants of a monitor: its own, or one for each named class."""
        if monitor.name in CLASS_MONITORS and self.every_class:
            return class_variants(self.every_class, self.chosen)
        return self.names if self.names and monitor.name == MIX.name else monitor.variants(self.classes)

    def adapted(self, monitor: MonitorDefinition) -> MonitorDefinition:
        """The monitor with the observation of this kind; of many classes it watches the model alone."""
        if monitor.name in CLASS_MONITORS:
            if len(self.variants(monitor)) > MAX_CLASSES:
                return replace(monitor, reach=Reach.MODEL, class_of=self._class_of(monitor))
            if monitor.name in self.observe:
                return replace(monitor, observe=self.observe[monitor.name], class_of=None)
        return replace(monitor, observe=self.observe.get(monitor.name, monitor.observe))

    def _class_of(self, monitor: MonitorDefinition) -> Callable[[Comparisons], Ints] | None:
        """The variant of each row, where classes have been chosen."""
        if self.chosen is None or monitor.class_of is None:
            return monitor.class_of
        index = np.full(len(self.every_class), len(self.chosen))
        index[list(self.chosen)] = np.arange(len(self.chosen))
        return VariantOfClass(monitor.class_of, index)

    def choosing(self, section: DecisionSection, golden: Comparisons | None) -> "Offer":
        """The offer with the classes that have a cell of their own, where they are too many."""
        if len(self.every_class) <= MAX_MODEL_CLASSES:
            return self
        critical = [self.every_class.index(name) for name in critical_classes(section, self.every_class)]
        spoken = None if golden is None else golden.top_baseline[golden.top_baseline >= 0]
        chosen = chosen_classes(len(self.every_class), MAX_MODEL_CLASSES - 1, critical, spoken)
        return replace(self, chosen=tuple(chosen.tolist()))


def critical_classes(section: DecisionSection, classes: Sequence[str]) -> tuple[str, ...]:
    """The classes that are critical, by their names or numbers.

    Raises:
        ConfigError: when there is no such class with a cell of its own.
    """
    given = section.critical or []
    names = [classes[each] if isinstance(each, int) and 0 <= each < len(classes) else each for each in given]
    unknown = [name for name in names if name not in classes]
    if unknown or len(names) >= MAX_MODEL_CLASSES:
        name = unknown[0] if unknown else names[-1]
        raise ConfigError([f"decision.critical: there is no class {name!r} with a monitor of its own"])
    return tuple(str(name) for name in names)


def plain_offer(scale: Scale, classes: int) -> Offer:
    """The offer of rows of class probabilities or logits, or of values."""
    if scale is Scale.REGRESSION:
        return Offer(frozenset())
    every_class = tuple(f"class {index}" for index in range(classes))
    needs = frozenset({Need.CONFIDENCE, Need.MARGIN, Need.CLASSES, Need.LABELS})
    return Offer(needs, classes, every_class=every_class)


def kind_offer(kind: DecisionKind, section: DecisionSection) -> Offer:
    """The offer of a kind. Of two classes that exclude each other the first follows from the second; more classes than
    `MAX_CLASSES` are not watched one by one.
    """
    offered = {Need.CONFIDENCE: kind.has_confidence, Need.CLASSES: bool(kind.classes), Need.LABELS: kind.has_top}
    offered |= {Need.VALUE: kind.has_bias, Need.MARGIN: kind.has_margin}
    names = tuple(kind.classes) if len(kind.classes) <= MAX_CLASSES else ()
    if kind.has_top and len(names) == 2:  # noqa: PLR2004 - two classes
        names = names[1:]
    return Offer(
        frozenset(need for need, is_offered in offered.items() if is_offered),
        names=names,
        every_class=tuple(kind.classes) if len(kind.classes) <= MAX_CLASSES or kind.has_top else (),
        limits={LOSS_MONITOR.name: default_limit(section, LOSS_MONITOR.limit)},
        observe={
            LOSS_MONITOR.name: observations.loss,
            MIX.name: observations.class_mix,
            "class_miss": observations.missed,
            "class_gain": observations.gained,
        },
        fractional=frozenset()
        if kind.binary_loss
        else frozenset({LOSS_MONITOR.name, CLEAR_MONITOR.name, *CLASS_MONITORS}),
    )
