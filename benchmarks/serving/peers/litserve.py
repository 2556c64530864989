"""LitServe: JSON of its own; one process for HTTP, and one that runs the model."""

import sys
from typing import Any

import numpy as np
from litserve import LitAPI, LitServer

from benchmarks.serving.session import Rows, session


class Served(LitAPI):  # type: ignore[misc]
    """The served model, with the codecs that LitServe requires."""

    model = ""

    def setup(self, device: str) -> None:
        """Load the model."""
        del device
        self._run = session(self.model)

    def decode_request(self, request: dict[str, Any]) -> Rows:
        """Decode a row."""
        return np.array(request["input"], np.float32)

    def batch(self, inputs: list[Rows]) -> Rows:
        """Concatenate the rows of several requests."""
        return np.concatenate(inputs)

    def predict(self, x: Rows) -> Rows:
        """Run the model."""
        return self._run(x)

    def unbatch(self, output: Rows) -> list[Rows]:
        """Split an answer into the requests' rows."""
        return list(output[:, None])

    def encode_response(self, output: Rows) -> dict[str, Any]:
        """Encode as JSON."""
        return {"probabilities": output.tolist()}


def main(model: str, port: str, batch: str, _: str) -> None:
    """Start the server."""
    api = Served(max_batch_size=int(batch), batch_timeout=0.001 if batch != "1" else 0.0)
    api.model = model
    server = LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(port), num_api_servers=1, generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
