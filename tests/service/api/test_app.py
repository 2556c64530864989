import subprocess
import sys
from pathlib import Path

from tests.support.servers import ROOT, write_config
from tests.support.serving.model_pairs import CALM, sure_and_unsure

PROGRAM = """
import asyncio, sys
from pathlib import Path
from prometheus_client import CollectorRegistry
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.app import build_service, load_pairs
from tightrope.service.inference.autotune import Pace
from tightrope.service.config.loader import load

settings = load(Path(sys.argv[1]), {})
metrics = Metrics(CollectorRegistry())
service = build_service(settings, load_pairs(settings), {"m": Pace()}, MemoryBus(), None, None, None, metrics)
BODY = b'{"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [0.0, 1.0]}]}'


async def ask(method, path):
    async def receive():
        return {"type": "http.request", "body": BODY}

    async def send(message):
        if "status" in message:
            print(path, message["status"], "fastapi" in sys.modules)

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": [], "root_path": "",
             "query_string": b"", "http_version": "1.1", "scheme": "http", "asgi": {"version": "3.0"}}
    await tightrope.service.app(scope, receive, send)


async def main():
    await ask("POST", "/v2/models/m/infer")
    await asyncio.gather(*(ask("GET", path) for path in ("/v2/health/ready", "/v2/health/live")))
    await ask("POST", "/v2/models/m/infer")

asyncio.run(main())
"""


def test_inference_is_answered_before_anything_else_is_loaded(tmp_path: Path) -> None:
    """What answers the rest is made when it is first asked for, and once: a replica that tells that it is ready is."""
    config = write_config(tmp_path, {"models": {"m": {**sure_and_unsure(tmp_path), **CALM}}})
    command = [sys.executable, "-c", PROGRAM, str(config)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    first, *both, last = ended.stdout.splitlines() or [ended.stderr]
    assert first == "/v2/models/m/infer 200 False", ended.stderr
    assert sorted(both) == ["/v2/health/live 200 True", "/v2/health/ready 200 True"]
    assert last == "/v2/models/m/infer 200 True"
