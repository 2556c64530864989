"""Inference messages for a model with inputs x and y, and outputs p and q."""

from typing import Any

import numpy as np

from tightrope.service.protocol.rest import InferRequest
from tightrope.service.protocol.tensors import Tensor, TensorSpec, encode_binary
from tightrope.service.transport.grpc.codec import decode_request, fill
from tightrope.service.transport.grpc.messages import ModelInferRequest

X, Y = TensorSpec("x", "FP32", (-1, 3)), TensorSpec("y", "BYTES", (-1,))
P, Q = TensorSpec("p", "FP32", (-1, 2)), TensorSpec("q", "INT8", (-1,))
ROW = np.array([[1, 2, 3]], np.float32)


def infer_message(tensor: Tensor, datatype: str, *, raw: bool, name: str = "x", **fields: Any) -> ModelInferRequest:  # noqa: ANN401
    """A request with one input."""
    message = ModelInferRequest(model_name="m", **fields)
    entry = message.inputs.add(name=name, datatype=datatype, shape=tensor.shape)
    if raw:
        message.raw_input_contents.append(encode_binary(tensor))
    else:
        fill(entry.contents, datatype, tensor)
    return message


def decode(message: ModelInferRequest) -> InferRequest:
    """Decode a message for a model with input x and outputs p and q."""
    return decode_request(message, [X], [P, Q])
