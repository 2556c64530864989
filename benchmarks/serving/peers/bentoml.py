"""BentoML: JSON of its own; one process for HTTP and the model."""

import os
import sys
from typing import Any

import bentoml
import numpy as np

from benchmarks.serving.session import Rows, session

BATCH = int(os.environ.get("BATCH", "1"))
BATCHING: dict[str, Any] = {"batchable": True, "max_batch_size": BATCH, "max_latency_ms": 1000} if BATCH > 1 else {}


@bentoml.service(workers=1, logging={"access": {"enabled": False}}, metrics={"enabled": False})
class Served:
    """The served model."""

    def __init__(self) -> None:
        self._run = session(os.environ["MODEL"])

    @bentoml.api(**BATCHING)  # type: ignore[untyped-decorator]
    def predict(self, input: np.ndarray) -> np.ndarray:  # noqa: A002 - the request's key
        """Answer a request or a batch."""
        rows: Rows = input.astype(np.float32)
        return self._run(rows)


def main(model: str, port: str, batch: str, _: str) -> None:
    """Start the server."""
    os.environ |= {"MODEL": model, "BATCH": batch, "DO_NOT_TRACK": "1", "BENTOML_DO_NOT_TRACK": "True"}
    command = [sys.executable, "-m", "bentoml", "serve", "benchmarks.serving.peers.bentoml:Served"]
    os.execv(sys.executable, [*command, "--host", "127.0.0.1", "--port", port])  # noqa: S606 - replaces this process


if __name__ == "__main__":
    main(*sys.argv[1:])
