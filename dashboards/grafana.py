"""The client of Grafana's HTTP API; the only module that knows its paths (below /api) and answers.

It uses the classic paths, which Grafana 13 calls legacy and still serves. Data sources are addressed by uid, because
addressing them by number is disabled there; that rules out the data-source calls of grafana-api, which use numbers, so
only its plain HTTP verbs are used.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from grafana_api.grafana_api import GrafanaClientError, GrafanaException
from grafana_api.grafana_face import GrafanaFace

from tightrope.dashboards.panels import Json

NOT_FOUND, CONFLICTS = 404, (409, 412)
GRAFANA_TIMEOUT_SECONDS = 10.0


class GrafanaError(Exception):
    """Grafana is unreachable or refused a request; the message starts with its address."""


@dataclass(frozen=True, slots=True)
class Target:
    """The folder for the dashboards and their data source, each by uid."""

    folder: str = "tightrope"
    folder_title: str = "Tightrope"
    source: str = "tightrope-prometheus"
    source_title: str = "Tightrope's Prometheus"


class Grafana:
    """A Grafana at an address, with the token of a service account. Not shared between threads."""

    def __init__(self, address: str, token: str) -> None:
        parts = urlsplit(address)
        self._address = address
        self._face = GrafanaFace(
            auth=token,
            host=parts.hostname,
            port=parts.port,
            protocol=parts.scheme,
            url_path_prefix=parts.path.strip("/") + "/" if parts.path.strip("/") else "",
            timeout=GRAFANA_TIMEOUT_SECONDS,
        )

    def apply(self, boards: Mapping[str, Json], tag: str, prometheus: str | None, target: Target) -> Iterator[str]:
        """Create or update the folder, the data source (if ``prometheus`` gives its address) and these dashboards, and
        delete dashboards of ours that bear the tag and are no longer built; yields one line per step.

        Raises:
            GrafanaError: when a step fails; earlier steps stay, and a repeat is harmless.
        """
        with _one_line_errors(self._address):
            self._call("GET", "/health")
            folder = {"uid": target.folder, "title": target.folder_title, "overwrite": True}
            yield f"folder {target.folder}: {self._upsert('/folders', f'/folders/{target.folder}', folder)}"
            if prometheus is not None:
                source, path = _source(target, prometheus), f"/datasources/uid/{target.source}"
                yield f"data source {target.source}: {self._upsert('/datasources', path, source)}"
            for uid, board in boards.items():
                body = {"dashboard": board | {"id": None}, "folderUid": target.folder, "overwrite": True}
                self._call("POST", "/dashboards/db", body)
                yield f"dashboard {uid}: saved"
            for uid in self._surplus(tag, boards):
                self._call("DELETE", f"/dashboards/uid/{uid}")
                yield f"dashboard {uid}: deleted"

    def annotate(self, since: float, text: str, tags: Sequence[str]) -> int:
        """Create an annotation at ``since`` (seconds since the epoch); returns its id.

        Raises:
            GrafanaError: when that fails.
        """
        with _one_line_errors(self._address):
            body = {"time": round(since * 1000), "text": text, "tags": list(tags)}
            return int(self._call("POST", "/annotations", body)["id"])

    def find_annotation(self, since: float, tags: Sequence[str]) -> int | None:
        """The id of the annotation that begins at ``since`` (seconds since the epoch) and has these tags, if any.

        Raises:
            GrafanaError: when the search fails.
        """
        with _one_line_errors(self._address):
            time = round(since * 1000)
            query = [("type", "annotation"), ("from", time - 1), ("to", time + 1), *(("tags", tag) for tag in tags)]
            annotations = self._call("GET", f"/annotations?{urlencode(query)}")
            return next((int(one["id"]) for one in annotations if one["time"] == time), None)

    def end_annotation(self, annotation: int, until: float) -> bool:
        """Extend an annotation to ``until`` (seconds since the epoch); False when it no longer exists.

        Raises:
            GrafanaError: when that fails.
        """
        with _one_line_errors(self._address):
            try:
                self._call("PATCH", f"/annotations/{annotation}", {"timeEnd": round(until * 1000)})
            except GrafanaClientError as error:
                if error.status_code != NOT_FOUND:
                    raise
                return False
            return True

    def _upsert(self, collection: str, path: str, body: Json) -> str:
        """Create or update an object; another client may create it at the same time. Returns the outcome in words."""
        try:
            self._call("GET", path)
        except GrafanaClientError as error:
            if error.status_code != NOT_FOUND:
                raise
            try:
                self._call("POST", collection, body)
            except GrafanaClientError as conflict:
                if conflict.status_code not in CONFLICTS:
                    raise
            else:
                return "created"
        self._call("PUT", path, body)
        return "up to date"

    def _surplus(self, tag: str, boards: Mapping[str, Json]) -> list[str]:
        """The uids of dashboards of ours that are no longer built."""
        tagged = self._call("GET", f"/search?type=dash-db&tag={tag}")
        return [one["uid"] for one in tagged if one["uid"] not in boards and one["uid"].startswith(f"{tag}-")]

    def _call(self, verb: str, path: str, body: Json | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Send a request and return the JSON answer; None for a change that was answered without a body."""
        try:
            return getattr(self._face.api, verb)(path, json=body)
        except requests.JSONDecodeError:
            if verb == "GET":
                raise
            return None


def _source(target: Target, prometheus: str) -> Json:
    return {
        "name": target.source_title,
        "uid": target.source,
        "type": "prometheus",
        "access": "proxy",
        "url": prometheus,
        "jsonData": {"httpMethod": "POST", "timeInterval": "15s"},
    }


@contextmanager
def _one_line_errors(address: str) -> Iterator[None]:
    """Turn every failure of a request into a `GrafanaError` of one line."""
    try:
        yield
    except GrafanaException as error:
        raise GrafanaError(f"{address} answered {error.status_code}: {error.message}") from error
    except (requests.JSONDecodeError, TypeError) as error:  # grafana-api raises TypeError on an error body of null
        raise GrafanaError(f"{address} sent an answer that is not Grafana's: check the address") from error
    except requests.RequestException as error:
        raise GrafanaError(f"{address} cannot be reached: {type(error).__name__}") from error
