"""The classes that a configuration has asked again of the baseline, where the model says them too often."""

from tightrope.monitors.boundaries.asked_classes import GAIN_MONITOR
from tightrope.monitors.definitions.definition import Need
from tightrope.service.config.loader import ConfigError
from tightrope.service.config.models import ModelSection
from tightrope.service.inference.kinds.offers import Offer


def askable_classes(name: str, section: ModelSection, offer: Offer) -> tuple[int, ...]:
    """The number of the class of each variant of `class_gain` that stands for one class; empty where none is asked.

    Raises:
        ConfigError: when the decision has not one class a row, or its gains are not watched.
    """
    if section.class_gain != "ask_again":
        return ()
    where = f"models.{name}.class_gain: ask_again"
    if Need.LABELS not in offer.needs or not offer.every_class:
        raise ConfigError([f"{where} needs a decision with one class a row; write class_gain: fall_back"])
    if section.limits.get(GAIN_MONITOR, 1.0) is None:
        raise ConfigError([f"{where} needs the monitor {GAIN_MONITOR}, which limits.{GAIN_MONITOR}: null switches off"])
    return tuple(range(len(offer.every_class))) if offer.chosen is None else offer.chosen
