"""What Tightrope asks of Grafana, and the only module that knows its API: the paths below /api and what they answer.

They are the classic ones, which Grafana 13 calls legacy and still serves. Data sources are asked for by uid: by number
they are off there. grafana-api does the talking, by its plain verbs: its own calls for data sources go by number.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from grafana_api.grafana_api import GrafanaClientError, GrafanaException
from grafana_api.grafana_face import GrafanaFace

Json = dict[str, Any]

NOT_FOUND, RACE = 404, (409, 412)
PATIENCE = 10.0
"""Seconds that Grafana has to answer."""


class GrafanaError(Exception):
    """Grafana is not to be had, or will not do it; the text says which of the two."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where dashboards go: the folder and the data source that they use, each by uid."""

    folder: str = "tightrope"
    folder_title: str = "Tightrope"
    source: str = "tightrope-prometheus"
    source_title: str = "Tightrope's Prometheus"


class Grafana:
    """One Grafana, by its address and the token of a service account. Not shared between threads."""

    def __init__(self, address: str, token: str) -> None:
        parts = urlsplit(address)
        self._address = address
        self._face = GrafanaFace(
            auth=token,
            host=parts.hostname,
            port=parts.port,
            protocol=parts.scheme,
            url_path_prefix=parts.path.strip("/") + "/" if parts.path.strip("/") else "",
            timeout=PATIENCE,
        )

    def apply(self, boards: Mapping[str, Json], tag: str, prometheus: str | None, target: Target) -> Iterator[str]:
        """Bring the folder, the data source (where its address is given) and these dashboards to what they should be,
        and take away what bears the tag and is not among them; tells every step.

        Raises:
            GrafanaError: when a step cannot be done; what was done before stays, and doing it again does no harm.
        """
        with _told(self._address):
            self._ask("GET", "/health")
            folder = {"uid": target.folder, "title": target.folder_title, "overwrite": True}
            yield f"folder {target.folder}: {self._upsert('/folders', f'/folders/{target.folder}', folder)}"
            if prometheus is not None:
                source, place = _source(target, prometheus), f"/datasources/uid/{target.source}"
                yield f"data source {target.source}: {self._upsert('/datasources', place, source)}"
            for uid, board in boards.items():
                body = {"dashboard": board | {"id": None}, "folderUid": target.folder, "overwrite": True}
                self._ask("POST", "/dashboards/db", body)
                yield f"dashboard {uid}: saved"
            for uid in self._surplus(tag, boards):
                self._ask("DELETE", f"/dashboards/uid/{uid}")
                yield f"dashboard {uid}: taken away"

    def mark(self, since: float, text: str, tags: Sequence[str]) -> int:
        """Mark a time (seconds) on every dashboard that looks for these tags; returns the mark's number.

        Raises:
            GrafanaError: when it cannot be done.
        """
        with _told(self._address):
            body = {"time": round(since * 1000), "text": text, "tags": list(tags)}
            return int(self._ask("POST", "/annotations", body)["id"])

    def find(self, since: float, tags: Sequence[str]) -> int | None:
        """The number of the mark that begins at ``since`` (seconds) and has these tags, if there is one.

        Raises:
            GrafanaError: when nobody can tell.
        """
        with _told(self._address):
            at = round(since * 1000)
            asked = [("type", "annotation"), ("from", at - 1), ("to", at + 1), *(("tags", tag) for tag in tags)]
            found = self._ask("GET", f"/annotations?{urlencode(asked)}")
            return next((int(one["id"]) for one in found if one["time"] == at), None)

    def end(self, mark: int, until: float) -> bool:
        """Make a mark last until then; False when it is not there any more.

        Raises:
            GrafanaError: when it cannot be done.
        """
        with _told(self._address):
            try:
                self._ask("PATCH", f"/annotations/{mark}", {"timeEnd": round(until * 1000)})
            except GrafanaClientError as error:
                if error.status_code != NOT_FOUND:
                    raise
                return False
            return True

    def _upsert(self, kind: str, place: str, body: Json) -> str:
        """Make it, or bring it up to date; somebody else may make it at the same time."""
        try:
            self._ask("GET", place)
        except GrafanaClientError as error:
            if error.status_code != NOT_FOUND:
                raise
            try:
                self._ask("POST", kind, body)
            except GrafanaClientError as race:
                if race.status_code not in RACE:
                    raise
            else:
                return "made"
        self._ask("PUT", place, body)
        return "up to date"

    def _surplus(self, tag: str, boards: Mapping[str, Json]) -> list[str]:
        """Dashboards of ours that are not built any more."""
        found = self._ask("GET", f"/search?type=dash-db&tag={tag}")
        return [one["uid"] for one in found if one["uid"] not in boards and one["uid"].startswith(f"{tag}-")]

    def _ask(self, verb: str, path: str, body: Json | None = None) -> Any:  # noqa: ANN401 - whatever Grafana answers
        """One call; nothing where what was asked for is done and the answer has no body."""
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
def _told(address: str) -> Iterator[None]:
    """Whatever goes wrong, in one line."""
    try:
        yield
    except GrafanaException as error:
        raise GrafanaError(f"{address} answered {error.status_code}: {error.message}") from error
    except (requests.JSONDecodeError, TypeError) as error:  # grafana-api trips over an error that says null
        raise GrafanaError(f"{address} answered with what Grafana does not: is it one?") from error
    except requests.RequestException as error:
        raise GrafanaError(f"{address} is not to be had: {type(error).__name__}") from error
