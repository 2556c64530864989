"""A collector on loopback takes the spans as protobuf over HTTP, and its words are parsed by the protocol's classes."""

from collections.abc import Iterator

import pytest

from tests.support.observability.otlp_collector import Collector, otlp_collector
from tightrope.service.adapters.telemetry.otlp import OtlpExporter
from tightrope.service.adapters.telemetry.span_queue import SpanNote

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECOND = 1_000_000_000


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A running collector."""
    with otlp_collector() as running:
        yield running


def test_collector_reads_the_spans(collector: Collector) -> None:
    """With the caller's trace and span, or a trace of their own; an error of the server is one."""
    notes = [
        SpanNote("credit", "ok", 10 * SECOND, 0.25, TRACE, PARENT),
        SpanNote("credit", "server_error", 11 * SECOND, 1.0, "", ""),
        SpanNote("credit", "caller_error", 12 * SECOND, 0.0, "", ""),
    ]
    exporter = OtlpExporter(collector.address, "1.2.3")
    assert exporter.export(notes)
    ((path, kind, message),) = collector.received
    assert (path, kind) == ("/v1/traces", "application/x-protobuf")
    (resource,) = message.resource_spans
    named = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (named["service.name"], named["service.version"]) == ("tightrope", "1.2.3")
    first, failed, wrong = resource.scope_spans[0].spans
    assert (first.trace_id.hex(), first.parent_span_id.hex(), first.name) == (TRACE, PARENT, "infer credit")
    assert (first.start_time_unix_nano, first.end_time_unix_nano) == (9_750_000_000, 10 * SECOND)
    assert {each.key: each.value.string_value for each in first.attributes} == {
        "tightrope.model": "credit",
        "tightrope.outcome": "ok",
    }
    assert first.kind == first.SPAN_KIND_SERVER
    assert (failed.parent_span_id, failed.status.code) == (b"", failed.status.STATUS_CODE_ERROR)
    assert wrong.status.code == wrong.status.STATUS_CODE_UNSET
    assert len({span.trace_id for span in (first, failed, wrong)}) == 3
    assert len({span.span_id for span in (first, failed, wrong)}) == 3
    exporter.close()


def test_whole_path_may_be_given(collector: Collector) -> None:
    """As the OpenTelemetry exporters take it."""
    exporter = OtlpExporter(f"{collector.address}/v1/traces", "1")
    assert exporter.export([SpanNote("m", "ok", SECOND, 0.0, TRACE, PARENT)])
    assert [path for path, _, _ in collector.received] == ["/v1/traces"]
    exporter.close()


def test_refusal_is_told(collector: Collector) -> None:
    """A status that no retry mends."""
    collector.status = 400
    exporter = OtlpExporter(collector.address, "1")
    assert not exporter.export([SpanNote("m", "ok", SECOND, 0.0, TRACE, PARENT)])
    exporter.close()
