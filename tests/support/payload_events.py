"""Payload events as KServe's logger sends them."""

import json
from collections.abc import Mapping
from typing import Any

from tests.support.serving.service_harness import body
from tightrope.service.adapters.wire.cloudevents import PayloadEvent, read

TYPE_PREFIX = "org.kubeflow.serving.inference."


def headers(kind: str, id_: str = "a", **more: str) -> dict[str, str]:
    """The headers of one event in binary mode."""
    attributes = {
        "specversion": "1.0",
        "id": id_,
        "type": f"{TYPE_PREFIX}{kind}",
        "source": "http://localhost:9081/",
        **more,
    }
    return {"content-type": "application/json", **{f"ce-{name}": value for name, value in attributes.items()}}


def request_body(*rows: list[float], **fields: object) -> bytes:
    """The body of a request."""
    return json.dumps(body(list(rows), **fields)).encode()


def response_body(*rows: list[float], **changes: Any) -> bytes:  # noqa: ANN401 - fields of JSON
    """The body of a response with these probabilities."""
    output: Mapping[str, Any] = {
        "name": "probabilities",
        "datatype": "FP32",
        "shape": [len(rows), len(rows[0])],
        "data": [value for row in rows for value in row],
        **changes,
    }
    return json.dumps({"model_name": "m", "id": "theirs", "outputs": [output]}).encode()


def event(kind: str, data: bytes = b"{}", id_: str = "a", **more: str) -> PayloadEvent:
    """One event."""
    (event_,) = read(headers(kind, id_, **more), data)
    return event_
