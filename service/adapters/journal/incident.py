"""An incident: from the first move of a model to safe mode until all of the model is back, as a file of JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tightrope.monitors.plan import State, Transition
from tightrope.service.errors import TightropeError

INCIDENT_FORMAT = "tightrope.incident/1"

INCIDENTS_FOLDER = "incidents"


class IncidentError(TightropeError):
    """An incident cannot be read."""


@dataclass(frozen=True, slots=True)
class Move:
    """One change of a scope's mode; ``time`` is event time in seconds since the epoch, ``state`` the mode after it."""

    time: float
    scope: str
    trigger: str
    state: str
    actor: str
    reason: str

    @classmethod
    def of(cls, transitions: Iterable[Transition]) -> "list[Move]":
        """The moves of these transitions."""
        return [cls(t.time, t.scope, t.trigger.value, t.after.state.value, t.actor, t.reason) for t in transitions]


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident of a model. ``opened`` and ``closed`` are event times (s), None while it is open; the record of it
    stands in the segments ``first`` to ``last``, None while it is open. ``missing`` are the reasons for which its
    record is not complete. ``advisory``: no traffic moved. ``artefact`` is the SHA-256 of the compressed model that was
    judged when it opened, empty in the record of an earlier version.
    """

    id: str
    model: str
    opened: float
    first: int
    closed: float | None = None
    last: int | None = None
    advisory: bool = False
    moves: tuple[Move, ...] = ()
    missing: tuple[str, ...] = ()
    artefact: str = ""

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that moved, in the order of their first move."""
        return tuple(dict.fromkeys(move.scope for move in self.moves))

    def with_moves(self, transitions: Iterable[Transition]) -> "Incident":
        """The incident with further moves; those that are repeated after a restart count once."""
        return replace(self, moves=tuple(dict.fromkeys((*self.moves, *Move.of(transitions)))))

    def without(self, reason: str) -> "Incident":
        """The incident with a reason for which its record is not complete."""
        return self if reason in self.missing else replace(self, missing=(*self.missing, reason))

    def document(self) -> dict[str, object]:
        """The incident in JSON types."""
        return {"format": INCIDENT_FORMAT, **asdict(self), "complete": not self.missing}


def is_apart(state: State) -> bool:
    """Whether some of a model is in safe mode."""
    orphans = (record.mode for record in state.retained.orphans.values())
    return any(mode.safe for mode in (*state.modes, *orphans))


def incident_id(model: str, time: float, known: Iterable[str]) -> str:
    """A name that no incident has yet: the model and the time of the first move.

    >>> incident_id("m", 0.0, ["m-19700101-000000"])
    'm-19700101-000000-2'
    """
    taken, name = set(known), f"{model}-{datetime.fromtimestamp(time, UTC):%Y%m%d-%H%M%S}"
    numbered = (name if number == 1 else f"{name}-{number}" for number in range(1, len(taken) + 2))
    return next(each for each in numbered if each not in taken)


def read_incident(document: Mapping[str, object] | bytes) -> Incident:
    """The incident of a document.

    Raises:
        IncidentError: when it is not one of this version.
    """
    try:
        body = dict(json.loads(document) if isinstance(document, bytes) else document)
        if body.pop("format") != INCIDENT_FORMAT:
            raise IncidentError(f"not an incident of the format {INCIDENT_FORMAT}")
        moves = tuple(Move(**move) for move in body.pop("moves"))
        known = {name: body[name] for name in Incident.__dataclass_fields__ if name in body}
        return Incident(**{**known, "moves": moves, "missing": tuple(body["missing"])})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IncidentError(f"not an incident: {error}") from error


def write_incident(folder: Path, incident: Incident) -> None:
    """Write an incident as a whole: its file gets its name when it is complete."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{incident.id}.json"
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(incident.document(), indent=1))
    draft.replace(path)
