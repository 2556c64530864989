"""Calls of every operation of the API on the shared server of tests/service."""

from typing import Any

from tests.support.serving.model_pairs import HUGE
from tests.support.serving.service_harness import AUTH, body
from tightrope.monitors.safemode import ORDERS
from tightrope.monitors.watched_groups.orders import GROUP_ORDERS
from tightrope.service.adapters.wire.cloudevents import BATCH_TYPE

CHANGE = {"reason": "a test asks for it", "actor": "tests"}
ORDER = {"scope": "band=high", **CHANGE}

LABEL, LONG = {"id": "r1", "label": 1}, "x" * 2**21
CALLS: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/v2", {}, 200),
    ("GET", "/v2", {"headers": {"x": "y" * 40_000}}, 431),
    ("GET", "/v2", {"params": {"x": "y" * 30_000}}, 414),
    ("GET", "/v2/health/live", {}, 200),
    ("GET", "/v2/health/ready", {}, 200),
    ("GET", "/v2/models/{model}", {}, 200),
    ("GET", "/v2/models/{model}", {"model": "nope"}, 404),
    ("GET", "/v2/models/{model}/versions/{version}", {}, 200),
    ("GET", "/v2/models/{model}/versions/{version}", {"version": "2"}, 404),
    ("GET", "/v2/models/{model}/ready", {}, 200),
    ("GET", "/v2/models/{model}/versions/{version}/ready", {}, 200),
    ("POST", "/v2/models/{model}/infer", {"json": body([[1.0, 2.0]], id="a")}, 200),
    ("POST", "/v2/models/{model}/versions/{version}/infer", {"json": body([[1.0, 2.0]])}, 200),
    ("POST", "/v2/models/{model}/infer", {"json": body([[1, 2]], parameters={"binary_data_output": True})}, 200),
    ("POST", "/v2/models/{model}/infer", {"model": "poisoned", "json": body([[HUGE]])}, 200),
    ("POST", "/v2/models/{model}/infer", {"model": "flag", "json": body([[0.0, 1.0], [0.0, 5.0]])}, 200),
    ("POST", "/v2/models/{model}/infer", {"model": "abstain", "json": body([[0.0, 0.01]])}, 200),
    ("POST", "/v2/models/{model}/infer", {"json": {}}, 400),
    ("POST", "/v2/models/{model}/infer", {"model": "nope", "json": {}}, 404),
    ("POST", "/v2/models/{model}/infer", {"headers": {"Content-Encoding": "br"}, "content": b"{}"}, 415),
    ("POST", "/v2/models/{model}/infer", {"model": "doomed", "json": body([[5.0]])}, 400),
    ("GET", "/v1/models", {}, 200),
    ("GET", "/v1/models/{model}", {}, 200),
    *(("GET", f"/v1/models/{{model}}{end}", {"model": "flag"}, 200) for end in ("", "/verdicts")),
    ("GET", "/v1/models/{model}/groups", {}, 200),
    ("GET", "/v1/models/{model}/reliability", {}, 200),
    ("GET", "/v1/models/{model}/cost", {}, 200),
    ("GET", "/v1/models/{model}/cost/days", {"params": {"from": "2026-11-01"}}, 200),
    ("GET", "/v1/models/{model}/cost/days", {"params": {"to": "today"}}, 400),
    ("GET", "/v1/models/{model}/cost/days", {"model": "nope"}, 404),
    ("GET", "/v1/models/{model}/verdicts", {}, 200),
    ("GET", "/v1/models/{model}/verdicts", {"params": {"scope": "nope"}}, 404),
    *(("GET", f"/v1/{name}", {}, 200) for name in ("overview", "events")),
    ("GET", "/v1/events", {"params": {"limit": 0}}, 400),
    ("GET", "/v1/events", {"params": {"model": "nope"}}, 404),
    *(("POST", f"/v1/models/{{model}}/{order}", {"json": ORDER, "headers": AUTH}, 200) for order in ORDERS),
    *(("POST", f"/v1/models/{{model}}/{order}", {"json": ORDER, "headers": AUTH}, 409) for order in GROUP_ORDERS),
    ("POST", "/v1/models/{model}/release", {"json": {**ORDER, "scope": "nope"}, "headers": AUTH}, 404),
    ("POST", "/v1/models/{model}/release", {"json": ORDER}, 401),
    ("POST", "/v1/models/{model}/release", {"json": {}, "headers": AUTH}, 400),
    ("POST", "/v1/models/{model}/deploy", {"json": {**CHANGE, "path": "none.onnx"}, "headers": AUTH}, 400),
    ("POST", "/v1/models/{model}/deploy", {"json": CHANGE}, 401),
    ("POST", "/v1/models/{model}/rollback", {"json": {}, "headers": AUTH}, 400),
    ("GET", "/v1/models/{model}/labels", {"headers": AUTH}, 200),
    ("GET", "/v1/models/{model}/labels", {"params": {"limit": 0}, "headers": AUTH}, 400),
    ("POST", "/v1/models/{model}/labels", {"json": {"labels": [LABEL]}, "headers": AUTH}, 202),
    ("POST", "/v1/models/{model}/labels", {"json": LABEL}, 401),
    ("POST", "/v1/models/{model}/labels", {"json": LABEL, "model": "modes", "headers": AUTH}, 404),
    ("POST", "/v1/models/{model}/labels", {"content": LONG, "headers": AUTH}, 413),
    ("POST", "/v1/models/{model}/payloads", {"content": "[]", "headers": {**AUTH, "Content-Type": BATCH_TYPE}}, 202),
    ("POST", "/v1/models/{model}/payloads", {"json": {}, "headers": AUTH}, 400),
    ("GET", "/v1/reviews", {"headers": AUTH}, 200),
    ("GET", "/v1/reviews", {}, 401),
    ("GET", "/v1/reviews.csv", {"headers": AUTH}, 200),
    ("GET", "/v1/models/{model}/reviews", {"headers": AUTH}, 200),
    ("GET", "/v1/models/{model}/reviews/next", {"headers": AUTH}, 200),
    ("POST", "/v1/models/{model}/reviews/{name}", {"json": {"answer": "a"}, "headers": AUTH}, 404),
    ("POST", "/v1/models/{model}/reviews/{name}", {"json": {"answer": "c"}, "headers": AUTH}, 400),
    ("DELETE", "/v1/models/{model}/reviews/{name}", {"headers": AUTH}, 404),
    ("GET", "/v1/weeks/{week}", {}, 200),
    ("GET", "/v1/weeks/{week}", {"week": "nope"}, 404),
    ("POST", "/v1/weeks/{week}/decisions", {"json": {"decision": "nope", **CHANGE}, "headers": AUTH}, 409),
    ("POST", "/v1/weeks/{week}/decisions", {"json": {"decision": "nope", **CHANGE}}, 401),
    ("POST", "/v1/weeks/{week}/decisions", {"json": {}, "headers": AUTH}, 400),
    ("GET", "/v1/models/{model}/reports", {}, 200),
    ("GET", "/v1/models/{model}/reports/{name}", {}, 404),
    ("GET", "/metrics", {}, 200),
    ("GET", "/metrics", {"headers": {"Accept": "application/openmetrics-text; version=1.0.0"}}, 200),
]
"""Calls of every operation: method, path, options of the client and names in the path, and the status that comes."""
