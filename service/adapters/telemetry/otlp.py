"""Spans for a collector, by the OpenTelemetry Protocol over HTTP (protobuf).

Only a configuration with `telemetry.otlp_endpoint` imports this module, and with it the extra `otel`. The exporter's
headers and certificates come from the OTEL_EXPORTER_OTLP_ variables of the OpenTelemetry specification.
"""

import random
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from tightrope.service.adapters.telemetry.span_queue import SpanNote

TRACES_PATH = "/v1/traces"
SEND_SECONDS = 5.0
"""Time limit of an export, with its retries."""

SAMPLED = TraceFlags(TraceFlags.SAMPLED)
ERROR_OUTCOME = "server_error"
"""The outcome that makes a span an error: a caller's mistake is no failure of the server."""


class OtlpExporter:
    """Implements `SpanExporter` for the collector at ``endpoint``, with or without the path of traces."""

    def __init__(self, endpoint: str, version: str) -> None:
        url = endpoint if endpoint.endswith(TRACES_PATH) else endpoint + TRACES_PATH
        self._exporter = OTLPSpanExporter(endpoint=url, timeout=SEND_SECONDS)
        self._resource = Resource.create({"service.name": "tightrope", "service.version": version})
        self._scope = InstrumentationScope("tightrope", version)

    def export(self, notes: Sequence[SpanNote]) -> bool:
        """Send spans, and wait for the collector. Returns whether it took them."""
        return self._exporter.export([self._span(note) for note in notes]) is SpanExportResult.SUCCESS

    def close(self) -> None:
        """Give up what is under way."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # of the library

    def _span(self, note: SpanNote) -> ReadableSpan:
        trace_id = int(note.trace_id, 16) if note.trace_id else _new_id(128)
        parent = None
        if note.parent_id:
            parent = SpanContext(trace_id, int(note.parent_id, 16), is_remote=True, trace_flags=SAMPLED)
        return ReadableSpan(
            name=f"infer {note.model}",
            context=SpanContext(trace_id, _new_id(64), is_remote=False, trace_flags=SAMPLED),
            parent=parent,
            resource=self._resource,
            attributes={"tightrope.model": note.model, "tightrope.outcome": note.outcome},
            kind=SpanKind.SERVER,
            status=Status(StatusCode.ERROR) if note.outcome == ERROR_OUTCOME else Status(StatusCode.UNSET),
            start_time=note.ended - int(note.seconds * 1e9),
            end_time=note.ended,
            instrumentation_scope=self._scope,
        )


def _new_id(bits: int) -> int:
    return random.getrandbits(bits) or 1
