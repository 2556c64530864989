"""Valid requests and answers of the inference protocol, and variants of them."""

import json
from typing import Any

import numpy as np
import orjson

from tightrope.service.protocol.rest import InferRequest, InferResponse, OutputRequest, Scalar, decode_request
from tightrope.service.protocol.tensors import Tensor, TensorSpec

X = TensorSpec("x", "FP32", (-1, 3))
TAG = TensorSpec("tag", "BYTES", (-1, 1))
P = TensorSpec("p", "FP32", (-1, 2))
LABEL = TensorSpec("label", "INT64", (-1,))

EXAMPLES: dict[str, Tensor] = {
    "BOOL": np.array([[True, False, True]]),
    **{f"UINT{bits}": np.array([[0, 1, 2**bits - 1]], f"u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": np.array([[-(2 ** (bits - 1)), 0, 7]], f"i{bits // 8}") for bits in (8, 16, 32, 64)},
    "FP16": np.array([[0.5, -2.0, 65504.0]], np.float16),
    "FP32": np.array([[0.1, -0.0, 3.4e38]], np.float32),
    "FP64": np.array([[0.1, 1e-300, 1.7e308]], np.float64),
    "BYTES": np.array([["", "né\n", "雪"]], object),
}

FORMS = [(datatype, binary) for datatype in EXAMPLES for binary in (False, True) if binary or datatype != "FP16"]


def document(**changes: object) -> dict[str, Any]:
    """A valid request for the input x, with fields of the request replaced."""
    return {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1.0, 2.0, 3.0]}], **changes}


def with_input(**changes: object) -> dict[str, Any]:
    """A valid request with fields of its input replaced."""
    return document(inputs=[document()["inputs"][0] | changes])


def binary_request(data: bytes = bytes(12), size: object = 12) -> tuple[bytes, int]:
    """A request with a binary input, and the bytes of JSON in it."""
    head = orjson.dumps(with_input(data=None, parameters={"binary_data_size": size}))
    return head + data, len(head)


def decode(body: object, header_length: int | None = None) -> InferRequest:
    """Decode a request for a model of one input and two outputs; a body other than bytes is encoded as JSON first."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode_request(raw, header_length, [X], [P, LABEL])


def requesting(*outputs: OutputRequest, binary_default: bool = False) -> InferRequest:
    """A request with these outputs."""
    return InferRequest(id=None, parameters={}, inputs={}, outputs=outputs, binary_default=binary_default)


def answer(**outputs: Tensor) -> InferResponse:
    """An answer with these outputs."""
    parameters: dict[str, Scalar] = {"served_by": "compressed", "safe_mode": False, "confidence": 0.5, "rows": 1}
    return InferResponse("m", "1", "abc", parameters, outputs)
