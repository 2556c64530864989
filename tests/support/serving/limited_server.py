"""A real server with small limits, and one inference request to it by a bare socket."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.configs import write_config
from tests.support.servers import Server, serving
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.protocol_connection import post
from tests.support.serving.raw_caller import RawCaller
from tests.support.serving.service_harness import body

KB, MB = 1 << 10, 1 << 20
LIMITS = {
    "url_bytes": 512,
    "header_bytes": 2 * KB,
    "headers": 20,
    "head_seconds": 0.6,
    "body_seconds": 1.2,
    "connections": 20,
    "connections_per_peer": 12,
    "grpc_calls": 8,
    "bytes_in_flight": 3 * MB,
    "rows": 100,
    "elements": 150,
    "inflation_ratio": 100,
    "json_depth": 10,
}
SECTION = {"port": 0, "grpc_port": 0, "max_body_bytes": 2 * MB, "limits": LIMITS}
GOOD = json.dumps(body([[0.0, 1.0]])).encode()
"""A request within the limits."""


@contextmanager
def serving_limited(folder: Path) -> Iterator[Server]:
    """Serve one pair, m, within `LIMITS`."""
    models = {"m": {**sure_and_unsure(folder), **CALM, "labels": {}}}
    with serving(write_config(folder, {"models": models, "state": "state", "server": SECTION})) as running:
        yield running


def infer(server: Server, content: bytes, **headers: str) -> tuple[int, str]:
    """The status and the error of an inference request, on a connection of its own."""
    with RawCaller(server.address) as caller:
        status, document = caller.send(post(content, **headers)).response()
        return status, document.get("error", "")
