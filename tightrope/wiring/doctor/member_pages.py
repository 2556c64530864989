"""The pages of the members: readiness and metrics, over HTTP."""

import json
import re
from contextlib import suppress

from tightrope.service.adapters.open_inference.http_client import HttpClient
from tightrope.service.adapters.ports import UnreachableError
from tightrope.wiring.doctor.cluster_view import SeenMember

PAGE_SECONDS = 3.0
"""Time limit for one page."""

SERIES = re.compile(r"^(tightrope_\w+)(\{[^}]*\})? (\S+)", re.MULTILINE)
"""A series of the Prometheus text format."""


def read_member(url: str) -> SeenMember:
    """The readiness and the metrics of a gateway, worker or judge."""
    try:
        client = HttpClient(url, PAGE_SECONDS)
        ready = client.request("GET", "/v2/health/ready")
        metrics = client.request("GET", "/metrics")
    except (UnreachableError, ValueError) as error:
        return SeenMember(url, 0, (str(error),))
    return SeenMember(url, ready.status, readiness_reasons(ready.body), parse_metrics(metrics.body.decode()))


def readiness_reasons(body: bytes) -> tuple[str, ...]:
    """The reasons in the body of a readiness page: of the process, and of its models."""
    with suppress(ValueError, AttributeError):
        page = json.loads(body)
        models = [f"{model}: {reason}" for model, reason in dict(page.get("models") or {}).items()]
        return (*([str(page["reason"])] if page.get("reason") else []), *models)
    return ()


def parse_metrics(text: str) -> dict[str, dict[str, float]]:
    """Tightrope's series by name, each with its labels as they are written."""
    found: dict[str, dict[str, float]] = {}
    for name, labels, value in SERIES.findall(text):
        with suppress(ValueError):
            number = float(value)
            found.setdefault(name, {})[labels] = number
    return found
