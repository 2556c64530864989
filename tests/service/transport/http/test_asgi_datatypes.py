"""Every datatype of the protocol round-trips through a real model bit for bit, in JSON and in binary."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support.serving.model_pairs import ONNX_TYPES
from tests.support.serving.service_harness import LENGTH
from tightrope.service.protocol.tensors import Tensor, decode_binary, decode_json, encode_binary, encode_json

VALUES: dict[str, Tensor] = {
    "BOOL": np.array([[True, False], [False, False]]),
    **{f"UINT{bits}": np.array([[0, 1], [2, 2**bits - 1]], f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{
        f"INT{bits}": np.array([[-(2 ** (bits - 1)), -1], [0, 2 ** (bits - 1) - 1]], f"<i{bits // 8}")
        for bits in (8, 16, 32, 64)
    },
    "FP16": np.array([[0.1, -65504.0], [6e-8, -0.0]], "<f2"),
    "FP32": np.array([[0.1, 3.4e38], [1e-45, -0.0]], "<f4"),
    "FP64": np.array([[0.1, 1.7e308], [5e-324, -0.0]], "<f8"),
    "BYTES": np.array([["", "né\n"], ["雪\0x", '"\\']], object),
}
FORMS = [
    (datatype, binary_in, binary_out)
    for datatype in VALUES
    for binary_in in (False, True)
    for binary_out in (False, True)
]
SHOWN = {"FP16": "FP32"}
"""The datatypes that callers get another one for."""


def ask(client: httpx.Client, datatype: str, tensor: Tensor, *, binary_in: bool, binary_out: bool) -> Tensor:
    """The response of a model that returns its input; what has no JSON form is sent as callers see it."""
    tensor = tensor if binary_in or datatype not in SHOWN else tensor.astype(np.float32)
    sent = datatype if binary_in else SHOWN.get(datatype, datatype)
    form: dict[str, Any] = {"data": None if binary_in else encode_json(tensor)}
    blob = encode_binary(tensor) if binary_in else b""
    if binary_in:
        form = {"parameters": {"binary_data_size": len(blob)}}
    request = {
        "inputs": [{"name": "value", "shape": tensor.shape, "datatype": sent, **form}],
        "outputs": [{"name": "echo", "parameters": {"binary_data": binary_out}}],
    }
    head = json.dumps(request).encode()
    headers = {LENGTH: str(len(head))} if binary_in else {}
    answer = client.post(f"/v2/models/echo_{datatype}/infer", content=head + blob, headers=headers)
    assert answer.status_code == 200, answer.text
    length = int(answer.headers.get(LENGTH, len(answer.content)))
    (output,) = json.loads(answer.content[:length])["outputs"]
    shown = SHOWN.get(datatype, datatype)
    assert (output["name"], output["datatype"], output["shape"]) == ("echo", shown, list(tensor.shape))
    shape = tuple(output["shape"])
    if not binary_out:
        return decode_json(shown, shape, output["data"], "echo")
    assert output["parameters"] == {"binary_data_size": len(answer.content) - length}
    return decode_binary(shown, shape, memoryview(answer.content)[length:], "echo")


def as_shown(tensor: Tensor) -> Tensor:
    """A tensor as callers get it."""
    return tensor.astype(np.float32) if tensor.dtype == np.float16 else tensor


@pytest.mark.parametrize(("datatype", "binary_in", "binary_out"), FORMS)
def test_values_round_trip_bit_for_bit(
    client: httpx.Client, datatype: str, *, binary_in: bool, binary_out: bool
) -> None:
    """The smallest, the largest and special values, in every combination of forms."""
    tensor = VALUES[datatype]
    echo = ask(client, datatype, tensor, binary_in=binary_in, binary_out=binary_out)
    assert echo.dtype == as_shown(tensor).dtype
    assert encode_binary(echo) == encode_binary(as_shown(tensor))


def test_every_datatype_has_a_value() -> None:
    """The table above is complete."""
    assert VALUES.keys() == ONNX_TYPES.keys()


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8"])
def test_nan_and_infinity_round_trip_in_binary(client: httpx.Client, dtype: str) -> None:
    """In an output that does not decide."""
    tensor = np.array([[np.nan, np.inf]], dtype)
    datatype = f"FP{tensor.itemsize * 8}"
    echo = ask(client, datatype, tensor, binary_in=True, binary_out=True)
    assert encode_binary(echo) == encode_binary(as_shown(tensor))


def test_fp16_has_no_json_form(client: httpx.Client) -> None:
    """The error says how to send it; metadata have FP32, which all can send."""
    tensor = {"name": "value", "shape": [1, 2], "datatype": "FP16", "data": [0.5, 1]}
    answer = client.post("/v2/models/echo_FP16/infer", json={"inputs": [tensor]})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(
        "input 'value': FP16 has no JSON form, send FP32, or binary with parameters"
    )
    described = client.get("/v2/models/echo_FP16").json()
    assert {entry["datatype"] for side in ("inputs", "outputs") for entry in described[side]} == {"FP32"}


def test_nan_has_no_json_form(client: httpx.Client) -> None:
    """The caller sent it, so it is the caller's error, which names the output and the remedy."""
    blob = np.array([[np.nan, 0.0]], "<f4").tobytes()
    tensor = {"name": "value", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": len(blob)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    answer = client.post("/v2/models/echo_FP32/infer", content=head + blob, headers={LENGTH: str(len(head))})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(
        "output 'echo' has NaN or infinity, which JSON cannot hold: request binary"
    )
