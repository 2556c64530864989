"""mosec: JSON of its own; an HTTP server in Rust, and one process that runs the model."""

import os
import sys
from typing import Any

import numpy as np
from mosec import Server, Worker

from benchmarks.serving.session import session


class Served(Worker):  # type: ignore[misc]
    """The served model, one request at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._run = session(os.environ["MODEL"])

    def forward(self, data: dict[str, Any]) -> dict[str, Any]:
        """Answer a request."""
        return {"probabilities": self._run(np.array(data["input"], np.float32)).tolist()}


class Batched(Served):
    """The served model with dynamic batching."""

    def forward(self, data: list[dict[str, Any]]) -> list[dict[str, Any]]:  # type: ignore[override]
        """Answer a batch of requests, one row each."""
        answer = self._run(np.concatenate([np.array(one["input"], np.float32) for one in data]))
        return [{"probabilities": [row]} for row in answer.tolist()]


def main(model: str, port: str, batch: str, _: str) -> None:
    """Start the server."""
    os.environ["MODEL"] = model
    sys.argv[1:] = ["--address", "127.0.0.1", "--port", port, "--log-level", "warning"]
    server = Server()
    if batch == "1":
        server.append_worker(Served, num=1)
    else:
        server.append_worker(Batched, num=1, max_batch_size=int(batch), max_wait_time=1)
    server.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
