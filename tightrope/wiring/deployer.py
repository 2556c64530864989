"""Hot swap of a model artefact: load and check the new one beside the old, then replace it everywhere at once.

A file is tried in another process first. One deployment or rollback is made at a time, and only a few wait for it:
each holds one of the threads that also answer for health and metrics.

The worker and the judge switch first: samples of the old pair in flight are skipped, samples of the new pair never are.
Deployed artefacts survive a restart, in a file of the state folder.
"""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Event, Role
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.models import Artefact, Endpoint, ModelSection
from tightrope.service.config.qualification import STATEMENT_SUFFIX
from tightrope.service.errors import OverloadedError
from tightrope.service.inference.autotune import RunProfile, measure_profile
from tightrope.service.inference.model_pair import ModelPair
from tightrope.shadow.inference import WatchedPair
from tightrope.wiring.candidates.trial import tried_pair

log = logging.getLogger(__name__)

DEPLOYED_FILE, SAVED_STATEMENT = "deployed.json", "qualification"
ARTEFACT_ADAPTER: TypeAdapter[Path | Endpoint] = TypeAdapter(Artefact)
MAX_ROLLBACKS = 5
"""Number of latest deployments that can be rolled back."""

RETRY_SECONDS = 5.0
"""The seconds after which a caller that found too many deployments waiting is asked to try again."""


@dataclass(frozen=True, slots=True)
class ServedPairs:
    """Every place that holds a pair: the gateway's pairs and run profiles, the worker's pairs, the judge's plans."""

    pairs: dict[str, ModelPair]
    watched: dict[str, WatchedPair]
    plans: dict[str, Plan]
    profiles: dict[str, RunProfile]

    def replace(self, pair: ModelPair, watched: WatchedPair, profile: RunProfile) -> None:
        """Replace a pair in all places in turn; each is one assignment, so that readers never see half of it."""
        self.watched[pair.name] = watched
        self.plans[pair.name] = pair.plan
        self.profiles[pair.name] = profile
        self.pairs[pair.name] = pair


@dataclass
class HotSwapDeployer:
    """Implements `api.ports.Deployer` for one process. ``record_event`` adds an event to the audit trail; ``shield``
    sends the scopes that a pair is known to harm to the baseline, before the pair serves.
    """

    settings: Settings
    served: ServedPairs
    as_watched: Callable[[ModelPair], WatchedPair]
    record_event: Callable[[Event], None]
    shield: Callable[[Plan], None] = lambda _: None
    _previous: dict[str, list[Settings]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _callers: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)

    def deploy(
        self,
        model: str,
        role: Role,
        artefact: Path | Endpoint,
        actor: str,
        reason: str,
        qualification: Path | None = None,
    ) -> bool:
        """Load and check an artefact, and switch to it; return whether it survives a restart. ``qualification`` is the
        file with its statement, beside it by default.

        Raises:
            ConfigError: when it cannot be used; nothing has changed then.
            OverloadedError: when too many wait already.
            UnavailableError: when the server stops.
        """
        with self._turn(), _refusal_logged(model, actor):
            before = self.settings
            wanted = with_artefact(before, model, role, artefact, qualification)
            kept = self._switch(model, wanted, "deployed", actor, reason)
            self._previous[model] = [*self._previous.get(model, []), before][-MAX_ROLLBACKS:]
            return kept

    def roll_back(self, model: str, actor: str, reason: str) -> bool:
        """Switch back to the artefacts before the latest deployment; return whether they survive a restart.

        Raises:
            LookupError: when there is nothing to roll back to.
            ConfigError: when they cannot be used any more.
            OverloadedError: when too many wait already.
            UnavailableError: when the server stops.
        """
        with self._turn():
            before = self._previous.get(model) or []
            if not before:
                raise LookupError(model)
            old = before[-1].models[model]
            wanted = self.settings
            with _refusal_logged(model, actor):
                for role in Role:
                    wanted = with_artefact(wanted, model, role, getattr(old, role))
                wanted = with_statement(wanted, model, old.qualification.file if old.qualification else None)
                kept = self._switch(model, wanted, "rolled-back", actor, reason)
            before.pop()
            return kept

    def stop(self) -> None:
        """End the trial that is under way, and refuse all others."""
        self._stopping.set()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until no other deployment or rollback is under way.

        Raises:
            OverloadedError: when too many wait already.
        """
        waiting = self.settings.candidates.waiting
        with self._counting:
            if self._callers > waiting:
                text = f"a deployment is under way, and as many wait as may: {waiting} (candidates.waiting)"
                raise OverloadedError(text, RETRY_SECONDS)
            self._callers += 1
        try:
            with self._lock:
                yield
        finally:
            with self._counting:
                self._callers -= 1

    def _switch(self, model: str, wanted: Settings, kind: str, actor: str, reason: str) -> bool:
        pair = tried_pair(model, wanted, self._stopping)
        if pair.qualification and pair.qualification.blocks:  # refused, though a start would serve the baseline
            raise ConfigError(pair.qualification.lines)
        for line in pair.warnings:
            log.warning("%s", line)
        old = self.served.pairs[model]
        self.shield(pair.plan)
        self.served.replace(pair, self.as_watched(pair), measure_profile(pair))
        self.settings = wanted
        kept = _save(wanted)
        digests = {
            f"{role}_digest": {"before": old.models[role].digest, "after": pair.models[role].digest} for role in Role
        }
        detail = {**digests, "kept": kept}
        self.record_event(Event(uuid.uuid4().hex, time.time(), model, kind, "model", actor, reason, detail))
        return kept


@contextmanager
def _refusal_logged(model: str, actor: str) -> Iterator[None]:
    """Log why an artefact is refused."""
    try:
        yield
    except ConfigError as error:
        fields = {"event": "deploy-refused", "model": model, "actor": actor}
        log.warning("%s: a deployment is refused: %s", model, "; ".join(error.problems), extra={"fields": fields})
        raise


def _save(settings: Settings) -> bool:
    """Write the artefacts' file atomically; return whether it was written. On a full disk a deployment or a rollback
    still takes effect.
    """
    roles = {str(role) for role in Role}
    artefacts = {
        name: section.model_dump(mode="json", include=roles) | _saved_statement(section)
        for name, section in settings.models.items()
    }
    draft = settings.state / f"{DEPLOYED_FILE}.draft"
    try:
        draft.write_text(json.dumps(artefacts))
        draft.replace(settings.state / DEPLOYED_FILE)
    except OSError as error:
        path = settings.state / DEPLOYED_FILE
        log.warning("%s cannot be written, so what was deployed ends with this process: %s", path, error)
        return False
    return True


def _saved_statement(section: ModelSection) -> dict[str, str]:
    """The file with the statement of the compressed model, by its key."""
    asked = section.qualification
    return {SAVED_STATEMENT: str(asked.file)} if asked and asked.file else {}


def with_statement(settings: Settings, model: str, file: Path | None) -> Settings:
    """Return the settings with another file of the statement of qualification, where one is asked for."""
    section = settings.models[model]
    if section.qualification is None or file is None:
        return settings
    asked = section.qualification.model_copy(update={"file": file})
    models = {**settings.models, model: section.model_copy(update={"qualification": asked})}
    return settings.model_copy(update={"models": models})


def with_artefact(
    settings: Settings, model: str, role: Role, artefact: Path | Endpoint, qualification: Path | None = None
) -> Settings:
    """Return the settings with another artefact for one role; a relative path is relative to the replaced file. The
    statement is that of ``qualification``; of a compressed model, by default, the one beside it.

    Raises:
        ConfigError: when the path is relative and the replaced artefact is no file.
    """
    section = settings.models[model]
    before = getattr(section, role)
    if isinstance(artefact, Path) and not artefact.is_absolute():
        if isinstance(before, Endpoint):
            raise ConfigError([f"path: is {str(artefact)!r}; it must be absolute, because no file is replaced"])
        artefact = before.parent / artefact
    models = {**settings.models, model: section.model_copy(update={str(role): artefact})}
    changed = settings.model_copy(update={"models": models})
    if qualification is None and role is Role.COMPRESSED and isinstance(artefact, Path) and artefact != before:
        qualification = artefact.with_name(artefact.name + STATEMENT_SUFFIX)
    elif qualification is not None and isinstance(artefact, Path):
        qualification = artefact.parent / qualification
    return with_statement(changed, model, qualification)


def with_deployed(settings: Settings) -> Settings:
    """Return the settings with the artefacts that were deployed before this process started.

    Raises:
        ConfigError: when the file that names them cannot be read.
    """
    path = settings.state / DEPLOYED_FILE
    if not path.exists():
        return settings
    try:
        artefacts = json.loads(path.read_text())
        for model, files in artefacts.items():
            for role in Role:
                if model in settings.models:
                    settings = with_artefact(settings, model, role, ARTEFACT_ADAPTER.validate_python(files[role]))
            if model in settings.models and SAVED_STATEMENT in files:
                settings = with_statement(settings, model, Path(files[SAVED_STATEMENT]))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ConfigError([f"{path}: not a list of deployed artefacts: {error}; remove it to start anew"]) from error
    return settings
