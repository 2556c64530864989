"""Hooks of the schemathesis run: a deployment never names a server that is not this machine."""

from typing import Any

import schemathesis

CLOSED = "http://127.0.0.1:9"
"""An address at which nothing listens."""


@schemathesis.hook
def map_body(_: object, body: Any) -> Any:  # noqa: ANN401 - any JSON
    """Point the endpoint of a deployment to this machine."""
    endpoint = body.get("endpoint") if isinstance(body, dict) else None
    if isinstance(endpoint, dict) and isinstance(endpoint.get("endpoint"), str):
        return {**body, "endpoint": {**endpoint, "endpoint": CLOSED}}
    return body
