"""The check of a configuration: every mistake of the file, its models and its secrets in one go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tightrope.monitors.records import Role
from tightrope.service.app import load_pairs
from tightrope.service.config.access import access_tokens
from tightrope.service.config.loader import ConfigError, Settings, draw_secret, load
from tightrope.service.config.models import ModelSection
from tightrope.service.config.sound_part import sound_part
from tightrope.service.inference.loading.pair_building import settings_mistakes
from tightrope.service.inference.model_pair import ModelPair
from tightrope.wiring.audit_keys import require_signer
from tightrope.wiring.candidates.trial import tried_pair
from tightrope.wiring.paging import require_tokens
from tightrope.wiring.review import reviewer_tokens

INDEPENDENT_KEYS = frozenset(
    {"version", "batch_rows", "run_seconds", "queue", "mode", "limits", "subgroup_limits", "sampling", "caller"}
    | {
        "repeats",
        "independence",
        "lanes",
        "noise_share",
        "fallback_seconds",
        "latency",
        "labels",
        "payloads",
        "allow_nan",
    }
)
"""Keys of a model's section without which its other mistakes are the same."""


@dataclass(slots=True)
class CheckedConfiguration:
    """The findings of a check: mistakes, warnings, the loaded pairs and their sections, and whether the control API is
    on.
    """

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    pairs: dict[str, ModelPair] = field(default_factory=dict)
    sections: Mapping[str, ModelSection] = field(default_factory=dict)
    has_control: bool = False


def check_configuration(config: Path) -> CheckedConfiguration:
    """Check a file, its models and its secrets; after a mistake the check goes on with what is independent of it."""
    found = CheckedConfiguration()
    settings: Settings | None = None
    lost: Mapping[str, set[str]] = {}
    try:
        settings = load(config)
    except ConfigError as error:
        found.problems += error.problems
        if left := sound_part(config):
            settings, lost = left.settings, left.lost
    if settings is None:
        return found
    found.sections = settings.models

    def load_models(settings: Settings) -> None:
        found.pairs = load_pairs(settings, partial(_tried_pair, lost))
        found.warnings += [line for pair in found.pairs.values() for line in pair.warnings]

    def read_token(settings: Settings) -> None:
        found.has_control = access_tokens(settings).has_control

    def check_bus(settings: Settings) -> None:
        found.warnings += _bus_warnings(settings)

    secrets: list[Callable[[Settings], object]] = [draw_secret, require_tokens, reviewer_tokens, require_signer]
    for step in (load_models, read_token, *secrets, check_bus):
        try:
            step(settings)
        except ConfigError as error:
            found.problems += error.problems
    return found


def _bus_warnings(settings: Settings) -> list[str]:
    """Check the options of the bus, if there is one."""
    if settings.bus is None:
        return []
    from tightrope.wiring.topics import kafka_options, signing_warning  # noqa: PLC0415 - loads the Kafka client

    kafka_options(settings)
    return [line for line in (signing_warning(settings),) if line]


def _tried_pair(lost: Mapping[str, set[str]], name: str, settings: Settings) -> ModelPair:
    """Try a pair. Where it ``lost`` other keys than the independent ones, they may be the cause of all mistakes but
    those of its files, and a kind that there is not.

    Raises:
        ConfigError: with every mistake.
    """
    try:
        return tried_pair(name, settings)
    except ConfigError as error:
        if lost.get(name, set()) <= INDEPENDENT_KEYS:
            raise
        section = settings.models[name]
        files = tuple(f"models.{name}.{role}: {getattr(section, role)}: " for role in Role)
        unknown = [
            line for line in settings_mistakes(name, section) if line.startswith(f"models.{name}.decision.kind: ")
        ]
        raise ConfigError([*(line for line in error.problems if line.startswith(files)), *unknown]) from None
