"""The model that MLServer serves in the tests: softmax(input @ weights). Loaded by MLServer's own interpreter."""

from typing import Any

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

WEIGHTS = np.array([[0, 0], [4, -4]], np.float32)


class Linear(MLModel):  # type: ignore[misc]
    """Two features, two classes."""

    async def load(self) -> bool:
        """There is nothing to load."""
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Probabilities of every row."""
        rows: Any = NumpyCodec.decode_input(payload.inputs[0])
        scores = rows.astype(np.float32) @ WEIGHTS
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        said = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        output = NumpyCodec.encode_output("probabilities", said)
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[output])
