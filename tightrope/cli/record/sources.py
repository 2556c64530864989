"""Where commands read incidents: the state folder of a configuration, or a running gateway."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Protocol

from tightrope.service.errors import UnavailableError

if TYPE_CHECKING:
    from tightrope.offline.running_gateway import RunningGateway
    from tightrope.service.config.loader import Settings

UNKNOWN = "whether there are incidents is unknown: this gateway has not read those of the cluster since it started"

IncidentFields = Mapping[str, Any]
"""An incident as JSON: of the list, or with its ``moves`` and what is ``missing``."""


class IncidentSource(Protocol):
    """Reads incidents."""

    def incidents(self, since: float, model: str | None) -> Sequence[IncidentFields]:
        """The incidents that are open or ended at ``since`` (s since the epoch) or later, oldest first."""

    def incident(self, name: str) -> IncidentFields:
        """One incident with its moves."""

    def file(self, name: str) -> bytes:
        """The zip file of an incident."""

    def report(self, name: str) -> str:
        """The address of the report of an incident, for a browser."""


@dataclass(frozen=True, slots=True)
class StateSource:
    """Incidents in the state folder of a configuration, whether it runs or not."""

    settings: "Settings"

    def incidents(self, since: float, model: str | None) -> Sequence[IncidentFields]:
        """The incidents, oldest first."""
        from tightrope.offline.incidents.record_files import all_incidents
        from tightrope.service.config.loader import ConfigError

        if model is not None and model not in self.settings.models:
            raise ConfigError([f"--model: {model!r} is none of {', '.join(self.settings.models)}"])
        found = [each for each in all_incidents(self.settings) if model in {None, each.model}]
        recent = [each for each in found if each.closed is None or each.closed >= since]
        return [each.document() | {"scopes": each.scopes} for each in recent]

    def incident(self, name: str) -> IncidentFields:
        """One incident with its moves."""
        from tightrope.offline.incidents.record_files import require_incident

        return require_incident(self.settings, name).document()

    def file(self, name: str) -> bytes:
        """The zip file of an incident."""
        from tightrope.offline.incidents.record_files import record_of_incident
        from tightrope.service.api.incidents.export import export_bytes

        return export_bytes(record_of_incident(self.settings, name))

    def report(self, name: str) -> str:
        """A file with the report, in a folder of its own among the temporary ones."""
        from tightrope.offline.incidents.record_files import require_incident
        from tightrope.service.api.incidents.report import report_page

        incident = require_incident(self.settings, name)
        path = Path(mkdtemp(prefix="tightrope-")) / f"{incident.id}.html"
        path.write_bytes(report_page(incident))
        return path.as_uri()


@dataclass(frozen=True, slots=True)
class GatewaySource:
    """Incidents of a running gateway."""

    gateway: "RunningGateway"

    def incidents(self, since: float, model: str | None) -> Sequence[IncidentFields]:
        """The incidents, oldest first."""
        wanted = None if since == float("-inf") else since
        answer = self.gateway.get("/v1/incidents", since=wanted, model=model)
        found: list[IncidentFields] = answer["incidents"]
        if not found and not answer.get("known", True):  # an older gateway does not say
            raise UnavailableError(f"{self.gateway.url}: {UNKNOWN}")
        return found[::-1]

    def incident(self, name: str) -> IncidentFields:
        """One incident with its moves."""
        from tightrope.service.api.incidents.links import incident_path

        return self.gateway.get(incident_path(name))

    def file(self, name: str) -> bytes:
        """The zip file of an incident, for which the gateway asks the control token."""
        from tightrope.service.api.incidents.links import incident_path

        return self.gateway.download(incident_path(name, ".zip"))

    def report(self, name: str) -> str:
        """The address of the report at the gateway."""
        from tightrope.service.api.incidents.links import incident_path

        self.incident(name)  # a browser would show an unknown name as JSON
        return self.gateway.url.rstrip("/") + incident_path(name, ".html")
