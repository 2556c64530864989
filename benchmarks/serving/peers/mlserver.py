"""MLServer: the Open Inference Protocol, the model in the server's own process."""

import asyncio
import socket
import sys

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.serving.session import session


class Served(MLModel):  # type: ignore[misc]
    """The served model."""

    async def load(self) -> bool:
        """Load the model."""
        self._run = session(self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer a request or a batch."""
        answer = self._run(NumpyCodec.decode_input(payload.inputs[0]))
        outputs = [NumpyCodec.encode_output("probabilities", answer)]
        return InferenceResponse(model_name=self.name, id=payload.id, outputs=outputs)


def main(model: str, port: str, batch: str, name: str) -> None:
    """Start the server."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        grpc, metrics = one.getsockname()[1], two.getsockname()[1]
    ports = {"http_port": int(port), "grpc_port": grpc, "metrics_port": metrics}
    server = MLServer(Settings(host="127.0.0.1", parallel_workers=0, debug=False, **ports))
    batching = {"max_batch_size": int(batch), "max_batch_time": 0.001} if batch != "1" else {}
    served = ModelSettings(name=name, implementation=Served, parameters=ModelParameters(uri=model), **batching)
    asyncio.run(server.start([served]))


if __name__ == "__main__":
    main(*sys.argv[1:])
