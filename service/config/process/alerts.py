"""The section of direct notification."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from tightrope.service.config.section import Section

ServerUrl = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s/?#]+)*$")]
"""The URL of a server, without a trailing slash."""

LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]


class AlertsSection(Section):
    """Direct notification of Alertmanager about safe mode, with the evidence; see docs/operations.md."""

    alertmanagers: list[ServerUrl] = Field(default_factory=list)
    """URLs of all Alertmanagers, such as http://alertmanager:9093; if empty, only Prometheus raises alerts."""
    labels: dict[LabelName, str] = Field(default_factory=dict)
    """Labels of every alert: cluster and namespace as on your Prometheus' series or in its external labels, and others
    that it adds, so that Alertmanager knows that both send the same alert.
    """
    token_file: Path | None = None
    """A file with a bearer token for the Alertmanagers."""
    keep_seconds: Annotated[float, Field(ge=0.1)] = 30.0
    """Interval at which an active alert is sent again; an alert that is not sent for four intervals expires."""
    grace_seconds: Annotated[float, Field(ge=0)] = 60.0
    """Delay between a return and the end of its alert: Prometheus must scrape the return first, or its own alert would
    page.
    """
    runbook: ServerUrl = "https://runbooks.example.org/tightrope"
    """URL of your copy of dashboards/runbook.md; alerts link to it."""
    grafana: ServerUrl = "https://grafana.example.org"
    """URL of your Grafana; alerts link to it."""
    gateway: ServerUrl = "https://tightrope.example.org"
    """Public URL of Tightrope. If set, alerts link to the case on its page; they link to the newest drift report there,
    once there is one.
    """
    grafana_token_file: Path | None = None
    """A file with the token of a Grafana service account; if set, safe mode is annotated on the dashboards."""
