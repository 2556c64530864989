"""Requests to a server become spans at a collector: with the caller's trace, sampled as the caller says."""

import subprocess
import sys
from pathlib import Path

from tests.support.configs import write_config
from tests.support.observability.otlp_collector import otlp_collector
from tests.support.servers import serving
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import body
from tightrope.service.config.loader import load
from tightrope.service.transport.spans import open_spans

SAMPLED, UNSAMPLED = "4bf92f3577b34da6a3ce929d0e0e4736", "11111111111111111111111111111111"
PARENT = "00f067aa0ba902b7"


def test_requests_are_exported_with_the_trace_of_their_caller(tmp_path: Path) -> None:
    """Small and large ones, over HTTP; one without a trace, or whose caller does not sample it, has no span. The end of
    the server exports what waits.
    """
    with otlp_collector() as collector:
        document = {
            "models": {"m": {**sure_and_unsure(tmp_path), **CALM}},
            "server": {"port": 0},
            "telemetry": {"otlp_endpoint": collector.address},
        }
        with serving(write_config(tmp_path, document)) as server:
            for trace in (f"00-{SAMPLED}-{PARENT}-01", f"00-{UNSAMPLED}-{PARENT}-00", "none"):
                for rows in (1, 8192):
                    content = body([[0.0, 1.0]] * rows)
                    answer = server.client.post("/v2/models/m/infer", json=content, headers={"traceparent": trace})
                    assert answer.status_code == 200
            wrong = server.client.post(
                "/v2/models/m/infer", json={}, headers={"traceparent": f"00-{SAMPLED}-{PARENT}-01"}
            )
            assert wrong.status_code == 400
        spans = [
            span
            for _, _, message in collector.received
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
    outcomes = [{each.key: each.value.string_value for each in span.attributes} for span in spans]
    assert [each["tightrope.outcome"] for each in outcomes] == ["ok", "ok", "caller_error"]
    assert {(span.trace_id.hex(), span.parent_span_id.hex()) for span in spans} == {(SAMPLED, PARENT)}
    assert all(span.end_time_unix_nano > span.start_time_unix_nano for span in spans)


def test_nothing_is_loaded_without_a_collector() -> None:
    """Neither its library nor that of its transport: the gateway calls no one."""
    program = (
        "import sys, tightrope.service.app, tightrope.service.transport.spans\n"
        "print([name for name in sys.modules if name.split('.')[0] in {'opentelemetry', 'requests'}])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_no_span_is_made_without_a_collector(tmp_path: Path) -> None:
    """Nothing is opened."""
    path = write_config(tmp_path, {"models": {"m": sure_and_unsure(tmp_path)}})
    assert open_spans(load(path, {}), metrics=None) is None  # type: ignore[arg-type]
