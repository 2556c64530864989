"""The loading of both models of a pair, each with the ONNX files around it."""

from collections.abc import Callable
from typing import Any

from tightrope.monitors.records import Role
from tightrope.service.adapters.open_inference.model import with_tensors_of
from tightrope.service.adapters.ports import Model, ProviderError
from tightrope.service.adapters.runs.watched_runs import limit_runs
from tightrope.service.config import models as config
from tightrope.service.config.loader import ConfigError
from tightrope.service.config.runtime import RuntimeSection
from tightrope.service.errors import TightropeError
from tightrope.service.inference.loading.mistakes import Mistakes
from tightrope.service.inference.mapping.graphs import surrounded


def load_roles(
    section: config.ModelSection, load: Callable[[Any, RuntimeSection], Model], mistakes: Mistakes
) -> dict[Role, Model]:
    """Load both models; a remote one that does not describe its tensors gets those of the other."""
    models: dict[Role, Model] = {}
    for role, artefact in ((Role.BASELINE, section.baseline), (Role.COMPRESSED, section.compressed)):
        key, runtime = section.runtime_of(role)
        try:
            models[role] = _with_graphs(section, role, load, load(artefact, runtime), mistakes)
            limit_runs(models[role], section.run_seconds)
        except ProviderError as error:
            mistakes.add(key, str(error))
        except TightropeError as error:
            mistakes.add(role, str(error))
    if mistakes:
        raise ConfigError(mistakes)
    models = {role: with_tensors_of(model, models[role.other]) for role, model in models.items()}
    if not models[Role.BASELINE].inputs:
        mistakes.add("baseline", "neither server tells what its model takes and gives; one of the two must")
        raise ConfigError(mistakes)
    return models


def _with_graphs(
    section: config.ModelSection,
    role: Role,
    load: Callable[[Any, RuntimeSection], Model],
    model: Model,
    mistakes: Mistakes,
) -> Model:
    """The loaded model of a role with the ONNX files around it."""
    _, runtime = section.runtime_of(role)

    def add(key: str, text: str) -> None:
        mistakes.add(f"{role}_tensors.{key}", text)

    return surrounded(model, section.tensors[role], lambda path: load(path, runtime), add)
