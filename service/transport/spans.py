"""Opens the queue of spans that a configuration asks for."""

from tightrope.service.adapters.telemetry.span_queue import SpanMetrics, SpanQueue
from tightrope.service.config.loader import Settings
from tightrope.service.protocol.metadata import SERVER_VERSION


def open_spans(settings: Settings, metrics: SpanMetrics) -> SpanQueue | None:
    """The queue of spans, or None. Its library is loaded only where a collector is configured."""
    section = settings.telemetry
    if section.otlp_endpoint is None:
        return None
    from tightrope.service.adapters.telemetry.otlp import OtlpExporter  # noqa: PLC0415 - see above

    return SpanQueue(OtlpExporter(section.otlp_endpoint, SERVER_VERSION), metrics, section.root_share)
