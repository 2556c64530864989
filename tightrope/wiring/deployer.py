"""Hot swap: another artefact beside the one that serves, checked, then put in its place everywhere at once.

The judge and the worker go first: samples of the old pair that are still on their way are passed over, none of the new
pair is. What is deployed outlives a restart, in a file of the state folder.
"""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from tightrope.monitors.compare import read
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Event, Role
from tightrope.service.adapters.ports import Model, RunFailedError
from tightrope.service.app import golden_rows, load_model
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.models import Artefact, Endpoint
from tightrope.service.inference.autotune import Pace, learn
from tightrope.service.inference.golden import Golden
from tightrope.service.inference.model_pair import Pair, build
from tightrope.service.protocol.tensors import Tensor
from tightrope.shadow.inference import Watched

log = logging.getLogger(__name__)

FILE = "deployed.json"
ARTEFACT: TypeAdapter[Path | Endpoint] = TypeAdapter(Artefact)
KEPT = 5
"""Deployments that can be rolled back, one after the other."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a pair stands: what the gateway serves, what the worker runs, what the judge goes by, how it is asked."""

    pairs: dict[str, Pair]
    watched: dict[str, Watched]
    plans: dict[str, Plan]
    paces: dict[str, Pace]

    def put(self, pair: Pair, watched: Watched, pace: Pace) -> None:
        """One after the other; each is a single assignment that readers see whole."""
        self.watched[pair.name] = watched
        self.plans[pair.name] = pair.plan
        self.paces[pair.name] = pace
        self.pairs[pair.name] = pair


@dataclass
class Deployer:
    """Implements `api.ports.Deployer` for one process. ``tell`` puts an event into the audit trail."""

    settings: Settings
    places: Places
    as_watched: Callable[[Pair], Watched]
    tell: Callable[[Event], None]
    _before: dict[str, list[Settings]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def deploy(self, model: str, role: Role, artefact: Path | Endpoint, actor: str, reason: str) -> bool:
        """Load, check, and switch."""
        with self._lock:
            before = self.settings
            wanted = with_artefact(before, model, role, artefact)
            kept = self._switch(model, wanted, "deployed", actor, reason)
            self._before[model] = [*self._before.get(model, []), before][-KEPT:]
            return kept

    def roll_back(self, model: str, actor: str, reason: str) -> bool:
        """Switch to what was there before."""
        with self._lock:
            before = self._before.get(model) or []
            if not before:
                raise LookupError(model)
            old = before[-1].models[model]
            wanted = self.settings
            for role in Role:
                wanted = with_artefact(wanted, model, role, getattr(old, role))
            kept = self._switch(model, wanted, "rolled-back", actor, reason)
            before.pop()
            return kept

    def _switch(self, model: str, wanted: Settings, kind: str, actor: str, reason: str) -> bool:
        pair = build(model, wanted, load_model)
        self_test(pair, wanted)
        old = self.places.pairs[model]
        self.places.put(pair, self.as_watched(pair), learn(pair))
        self.settings = wanted
        kept = _keep(wanted)
        digests = {
            f"{role}_digest": {"before": old.models[role].digest, "after": pair.models[role].digest} for role in Role
        }
        detail = {**digests, "kept": kept}
        self.tell(Event(uuid.uuid4().hex, time.time(), model, kind, "model", actor, reason, detail))
        return kept


def _keep(settings: Settings) -> bool:
    """Write the artefacts beside the state, whole or not at all; whether that could be done. A disk that is full takes
    nobody's way back.
    """
    told = {
        name: of.model_dump(mode="json", include={str(role) for role in Role}) for name, of in settings.models.items()
    }
    draft = settings.state / f"{FILE}.draft"
    try:
        draft.write_text(json.dumps(told))
        draft.replace(settings.state / FILE)
    except OSError as error:
        log.warning(
            "%s cannot be written, so what was deployed ends with this process: %s", settings.state / FILE, error
        )
        return False
    return True


def with_artefact(settings: Settings, model: str, role: Role, artefact: Path | Endpoint) -> Settings:
    """The same settings with another artefact for one role; a relative path is one beside the file it replaces.

    Raises:
        ConfigError: when it replaces none.
    """
    of = settings.models[model]
    before = getattr(of, role)
    if isinstance(artefact, Path) and not artefact.is_absolute():
        if isinstance(before, Endpoint):
            raise ConfigError([f"path: is {str(artefact)!r}; it must be absolute, because no file is replaced"])
        artefact = before.parent / artefact
    models = {**settings.models, model: of.model_copy(update={str(role): artefact})}
    return settings.model_copy(update={"models": models})


def as_deployed(settings: Settings) -> Settings:
    """The settings with the artefacts that were deployed before this process started.

    Raises:
        ConfigError: when the file that names them cannot be read.
    """
    path = settings.state / FILE
    if not path.exists():
        return settings
    try:
        told = json.loads(path.read_text())
        for model, files in told.items():
            for role in Role:
                if model in settings.models:
                    settings = with_artefact(settings, model, role, ARTEFACT.validate_python(files[role]))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ConfigError([f"{path}: not a list of deployed artefacts: {error}; remove it to start anew"]) from error
    return settings


def self_test(pair: Pair, settings: Settings) -> None:
    """Both models must give readable answers to the golden rows, where there are any.

    Raises:
        ConfigError: naming the role that does not.
    """
    rows = golden_rows(pair, settings)
    if rows is None:
        return
    for role, model in pair.models.items():
        try:
            reading = read(_answers(pair, model, rows), pair.decision.scale)
        except RunFailedError as error:
            raise ConfigError([f"models.{pair.name}.{role}: failed on the golden rows: {error}"]) from error
        if reading.fault.any():
            wrong = int((reading.fault > 0).sum())
            raise ConfigError([f"models.{pair.name}.{role}: {wrong} golden rows have no readable answer"])


def _answers(pair: Pair, model: Model, rows: Golden) -> Tensor:
    """The decision output of every golden row; a model that takes one row at a time is asked row by row."""
    free = all(spec.shape[0] < 0 for spec in pair.inputs)
    count = len(rows.member)
    step = count if free else 1
    parts = [
        model.run({name: tensor[begin : begin + step] for name, tensor in rows.inputs.items()}, [pair.output])
        for begin in range(0, count, step)
    ]
    return np.concatenate([part[pair.output] for part in parts])
