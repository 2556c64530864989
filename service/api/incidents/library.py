"""The incidents that a gateway serves: those in the state folder of its own process, or those that judges publish."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tightrope.service.adapters.journal.incident import INCIDENTS_FOLDER, Incident
from tightrope.service.adapters.journal.record import read_record
from tightrope.service.adapters.journal.segments import stored_incidents
from tightrope.service.api.incidents.export import export_bytes
from tightrope.service.errors import OverloadedError, UnavailableError

EXPORT_RETRY_SECONDS = 5.0
"""Seconds after which to ask again while another incident is being exported."""

Files = frozenset[tuple[str, int, int, int]]
"""The names, inodes, sizes and times of the files of a folder, by which a change is seen."""


class IncidentLibrary(Protocol):
    """Read access to incidents."""

    @property
    def is_known(self) -> bool:
        """Whether all incidents are known here: a gateway of a cluster has to read those of the judges first."""

    def incidents(self) -> Sequence[Incident]:
        """The incidents of all models, oldest first."""

    def file(self, name: str) -> bytes | None:
        """The zip file of an incident; None where there is no such incident, or its record is not at hand.

        Raises:
            UnavailableError: when it cannot be read now.
        """


class NoIncidents:
    """Implements `IncidentLibrary` where nothing is recorded."""

    is_known = True

    def incidents(self) -> Sequence[Incident]:
        """None."""
        return ()

    def file(self, name: str) -> bytes | None:
        """None."""
        del name
        return None


NO_INCIDENTS = NoIncidents()


class StoredIncidents:
    """Implements `IncidentLibrary` for the records of these models in a folder. Safe to share between threads.

    One file is made at a time: it takes processor time that requests need more.
    """

    is_known = True

    def __init__(self, folder: Path, models: Sequence[str]) -> None:
        self._folders = {model: folder / model for model in models}
        self._lock = threading.Lock()
        self._exporting = threading.Lock()
        self._known: dict[str, tuple[Files, Sequence[Incident]]] = {}

    def incidents(self) -> Sequence[Incident]:
        """The incidents of all models, oldest first. A folder is read anew once a file in it has changed."""
        with self._lock:
            found = [each for model in self._folders for each in self._of_model(model)]
        return sorted(found, key=lambda each: each.opened)

    def file(self, name: str) -> bytes | None:
        """The zip file of an incident."""
        incident = next((each for each in self.incidents() if each.id == name), None)
        if incident is None:
            return None
        if not self._exporting.acquire(blocking=False):
            raise OverloadedError("another incident is being exported; ask again in a moment", EXPORT_RETRY_SECONDS)
        try:
            return export_bytes(read_record(incident.model, self._folders[incident.model], incident))
        except OSError as error:
            raise UnavailableError(f"incident {name}: its record cannot be read: {error.strerror}") from error
        finally:
            self._exporting.release()

    def _of_model(self, model: str) -> Sequence[Incident]:
        folder = self._folders[model]
        try:
            stats = [(each.name, each.stat()) for each in (folder / INCIDENTS_FOLDER).iterdir()]
        except OSError:  # there are no incidents yet, or one was replaced just now
            stats = []
        changed = frozenset((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
        known = self._known.get(model)
        if known is None or known[0] != changed:
            known = self._known[model] = changed, tuple(stored_incidents(folder))
        return known[1]
