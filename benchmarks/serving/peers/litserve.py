"""LitServe: JSON of its own; one process for HTTP, and one that runs the model."""

import sys
from typing import Any

import numpy as np
from litserve import LitAPI, LitServer

from benchmarks.serving.session import Rows, session


class Served(LitAPI):  # type: ignore[misc]
    """The model, with what LitServe asks about requests."""

    model = ""

    def setup(self, device: str) -> None:
        """Read the file."""
        del device
        self._run = session(self.model)

    def decode_request(self, request: dict[str, Any]) -> Rows:
        """One row."""
        return np.array(request["input"], np.float32)

    def batch(self, inputs: list[Rows]) -> Rows:
        """Several requests' rows, together."""
        return np.concatenate(inputs)

    def predict(self, x: Rows) -> Rows:
        """Answer."""
        return self._run(x)

    def unbatch(self, output: Rows) -> list[Rows]:
        """Each request's row."""
        return list(output[:, None])

    def encode_response(self, output: Rows) -> dict[str, Any]:
        """As JSON."""
        return {"probabilities": output.tolist()}


def main(model: str, port: str, batch: str, _: str) -> None:
    """Serve."""
    api = Served(max_batch_size=int(batch), batch_timeout=0.001 if batch != "1" else 0.0)
    api.model = model
    server = LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(port), num_api_servers=1, generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
