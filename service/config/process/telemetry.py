"""The section of the export of traces."""

from typing import Annotated

from pydantic import Field

from tightrope.service.config.process.alerts import ServerUrl
from tightrope.service.config.section import Section


class TelemetrySection(Section):
    """Spans of requests for an OpenTelemetry collector; see docs/operations.md."""

    otlp_endpoint: ServerUrl | None = None
    """URL of a collector that takes OTLP over HTTP, such as http://collector:4318; it needs the extra `otel`. If left
    out, no span is made and nothing is sent.
    """
    root_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of requests without a `traceparent` that begin a trace. With one, the caller's flag decides."""
