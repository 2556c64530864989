"""The sources of a card: the statement with its opinions, the manifest, the events of the state, the configuration."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tightrope.monitors.records import Event
from tightrope.offline.card.making import MadeBy, read_making
from tightrope.offline.statements.verification import expected_digests
from tightrope.service.adapters.model_files import ModelFileError
from tightrope.service.adapters.ports import NO_BOUND
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.api.overview.event_search import EventFilter, find_events
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.qualification import STATEMENT_SUFFIX, CardOptions, QualificationSection
from tightrope.service.config.suggestions import did_you_mean
from tightrope.service.errors import TightropeError
from tightrope.service.statements.bundle import Bundle, SignedStatement, StatementFileError, read_bundle
from tightrope.service.statements.examination import NO_TRUST, Examination, examine
from tightrope.service.statements.kept_dissents import DISSENTS_FILE, read_dissents
from tightrope.service.statements.keys import TrustError, load_trust
from tightrope.service.statements.qualification import QualificationPredicate, QualificationStatement
from tightrope.wiring.embedded import DATABASE

TRIP = "breach"
NO_EVENTS = "no event is in the state folder"
MOST_TRIPS = 1_000
"""The trips that are read, the newest ones."""


class CardError(TightropeError):
    """A card cannot be made or read; one line says why."""


@dataclass(frozen=True, slots=True)
class LiveEvents:
    """The trips of this artefact, oldest first, by number. ``last`` is the number of the latest event that was looked
    at; ``missing`` says why none could be.
    """

    trips: Sequence[tuple[int, Event]] = ()
    last: int = 0
    missing: str = ""


@dataclass(frozen=True, slots=True)
class CardSources:
    """Everything that a card is made of, at a time. ``opinions`` are the digests of the opinions in force, in the order
    of the examination's.
    """

    model: str
    at: datetime
    signed: SignedStatement[QualificationStatement]
    examination: Examination
    opinions: Sequence[str]
    making: MadeBy
    live: LiveEvents
    options: CardOptions
    has_keys: bool

    @property
    def predicate(self) -> QualificationPredicate:
        """The statement's content."""
        return self.signed.statement.predicate

    @property
    def withheld(self) -> frozenset[str]:
        """The scopes that the baseline answers if the model serves; those of cells that did not pass only where they
        were accepted.
        """
        return self.examination.withheld if self.examination.holds else frozenset(self.predicate.result.withheld)


def read_sources(
    settings: Settings, name: str, at: datetime, *, state: Path | None = None, last_event: int | None = None
) -> CardSources:
    """Read the sources of a model's card for a time; events after ``last_event`` are left out.

    Raises:
        CardError: naming the file, when there is no statement about these models, or something cannot be read.
    """
    section, qualification = settings.models[name], settings.models[name].qualification or QualificationSection()
    file = qualification.file
    if not isinstance(section.compressed, Path):
        raise CardError(f"models.{name}.compressed: is on another server; a card is about files")
    if file is None:
        file = section.compressed.with_name(section.compressed.name + STATEMENT_SUFFIX)
    folder = settings.state.folder if state is None else state
    try:
        trust = load_trust(qualification.keys, qualification.needed_approvals) if qualification.keys else NO_TRUST
        bundle = read_bundle(file, read_dissents(folder / DISSENTS_FILE))
        digests = expected_digests(name, settings)
    except (TrustError, StatementFileError, ModelFileError) as error:
        advice = "; `tightrope qualify` writes it" if str(error) == "is missing" else ""
        raise CardError(f"models.{name}.qualification: {file}: {error}{advice}") from error
    examination = examine(bundle, digests, trust, at)
    if (signed := examination.signed) is None:
        raise CardError(f"models.{name}.qualification: {file}: {'; '.join(examination.reasons)}")
    return CardSources(
        model=name,
        at=at,
        signed=signed,
        examination=examination,
        opinions=_opinion_digests(bundle, examination),
        making=read_making(section.compressed, signed.statement.predicate.made),
        live=_live_events(settings, name, folder, signed.statement.subject[0].digest.sha256, last_event),
        options=section.card,
        has_keys=bool(qualification.keys),
    )


def _opinion_digests(bundle: Bundle, examination: Examination) -> list[str]:
    known = {id(each.statement.predicate): each.digest for each in bundle.approvals}
    return [known[id(held.opinion)] for held in examination.opinions]


def _live_events(settings: Settings, name: str, folder: Path, digest: str, last_event: int | None) -> LiveEvents:
    """The trips in a state folder of the artefact with this digest."""
    if settings.bus is not None:
        return LiveEvents(missing="the events of this cluster are in a topic, which a card does not read")
    path = folder / DATABASE
    if not path.exists() or last_event == 0:
        return LiveEvents(missing=NO_EVENTS)
    store = SqliteStore(path)
    try:
        before = NO_BOUND if last_event is None else last_event + 1
        newest = store.latest_events(None, before, 1)
        found = find_events(store, EventFilter(name, kind=TRIP), MOST_TRIPS, before=before)
    finally:
        store.close()
    if not newest:
        return LiveEvents(missing=NO_EVENTS)
    trips = [(seq, event) for seq, event in reversed(found) if event.detail.get("compressed_digest") == digest]
    return LiveEvents(trips, newest[0][0])


def only_model(settings: Settings, name: str | None) -> str:
    """The model that is named, or the only one.

    Raises:
        ConfigError: when there is no such model, or there are several and none is named.
    """
    names = ", ".join(settings.models)
    if name is None and len(settings.models) > 1:
        raise ConfigError([f"--model: must be given; it is one of {names}"])
    if name is not None and name not in settings.models:
        raise ConfigError([f"--model: {name!r} is not one of {names}{did_you_mean(settings.models, name)}"])
    return name or next(iter(settings.models))
