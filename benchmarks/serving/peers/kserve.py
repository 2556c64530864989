"""KServe: the Open Inference Protocol. Its batching is a separate process, which is not measured."""

import sys
from uuid import uuid4

from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

from benchmarks.serving.session import session


class Served(Model):  # type: ignore[misc]
    """The served model."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name)
        self._run = session(path)
        self.ready = True

    async def predict(self, payload: InferRequest, *_: object, **__: object) -> InferResponse:
        """Answer a request."""
        answer = self._run(payload.inputs[0].as_numpy())
        output = InferOutput("probabilities", list(answer.shape), "FP32")
        output.set_data_from_numpy(answer, binary_data=False)
        return InferResponse(response_id=payload.id or uuid4().hex, model_name=self.name, infer_outputs=[output])


def main(model: str, port: str, _: str, name: str) -> None:
    """Start the server."""
    ModelServer(http_port=int(port), enable_grpc=False, workers=1, enable_latency_logging=False).start(
        [Served(name, model)]
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
