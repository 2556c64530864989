"""One request to the pair m of a gateway in this process, over each transport and in each form of tensors."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import grpc.aio
import numpy as np

from tests.support.serving.asgi_harness import INFER, InnerApp, LayerHarness, admission
from tests.support.serving.grpc_server import serving_grpc
from tests.support.serving.service_harness import LENGTH, OK, GatewayHarness
from tightrope.service.protocol.rest import Scalar
from tightrope.service.protocol.tensors import Tensor, datatype_of, decode_binary, decode_json, encode_binary
from tightrope.service.transport.grpc.codec import CONTENT_FIELDS, fill
from tightrope.service.transport.grpc.messages import ModelInferRequest
from tightrope.service.transport.http.asgi import InferLayer

TRANSPORTS = ("json", "binary", "grpc", "grpc_raw")


class Answered(NamedTuple):
    """An answer: the status of HTTP, or 200 and 400 for gRPC, its error, and its outputs with their datatypes."""

    status: int
    error: str = ""
    outputs: Mapping[str, Tensor] = {}
    datatypes: Mapping[str, str] = {}


def ask(
    bench: GatewayHarness,
    transport: str,
    tensors: Mapping[str, Tensor],
    outputs: Sequence[str] = (),
    **parameters: Scalar,
) -> Answered:
    """Send tensors in their own datatypes; over gRPC without parameters."""
    if transport.startswith("grpc"):
        return asyncio.run(_ask_grpc(bench, tensors, outputs, raw=transport == "grpc_raw"))
    binary = transport == "binary"
    return _ask_http(bench, *http_request(tensors, outputs, binary=binary, **parameters), binary=binary)


def http_request(
    tensors: Mapping[str, Tensor], outputs: Sequence[str] = (), *, binary: bool, **parameters: Scalar
) -> tuple[bytes, dict[str, str]]:
    """The body and headers of a request, whose answer is as binary as itself."""
    entries, blobs = [], []
    for name, tensor in tensors.items():
        entry: dict[str, Any] = {"name": name, "shape": tensor.shape, "datatype": datatype_of(tensor.dtype)}
        if binary:
            blobs.append(encode_binary(tensor))
            entry["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            entry["data"] = tensor.ravel().tolist()
        entries.append(entry)
    document: dict[str, Any] = {"inputs": entries, "parameters": {"binary_data_output": binary, **parameters}}
    document |= {"outputs": [{"name": name} for name in outputs]} if outputs else {}
    head = json.dumps(document).encode()
    return head + b"".join(blobs), {LENGTH: str(len(head))} if binary else {}


def _ask_http(bench: GatewayHarness, body: bytes, headers: Mapping[str, str], *, binary: bool) -> Answered:
    inner = InnerApp()
    layer = LayerHarness(bench, inner, InferLayer(lambda: inner, bench.responder(), admission()))
    exchange = layer.post(INFER, body, headers=headers)
    content = exchange.sent[1]["body"]
    if exchange.status != OK:
        return Answered(exchange.status, exchange.error)
    length = int(dict(exchange.sent[0]["headers"]).get(LENGTH.lower().encode(), len(content)))
    answer, tail, found = json.loads(content[:length]), memoryview(content)[length:], {}
    for entry in answer["outputs"]:
        shape, size = tuple(entry["shape"]), entry.get("parameters", {}).get("binary_data_size", 0)
        if binary:
            found[entry["name"]] = decode_binary(entry["datatype"], shape, tail[:size], "output")
            tail = tail[size:]
        else:
            found[entry["name"]] = decode_json(entry["datatype"], shape, entry["data"], "output")
    return Answered(OK, outputs=found, datatypes={entry["name"]: entry["datatype"] for entry in answer["outputs"]})


def grpc_message(tensors: Mapping[str, Tensor], outputs: Sequence[str] = (), *, raw: bool) -> ModelInferRequest:
    """A request to the pair m."""
    message = ModelInferRequest(model_name="m")
    for name in outputs:
        message.outputs.add(name=name)
    for name, tensor in tensors.items():
        datatype = datatype_of(tensor.dtype)
        entry = message.inputs.add(name=name, datatype=datatype, shape=tensor.shape)
        if raw:
            message.raw_input_contents.append(encode_binary(tensor))
        else:
            fill(entry.contents, datatype, tensor)
    return message


async def _ask_grpc(
    bench: GatewayHarness, tensors: Mapping[str, Tensor], outputs: Sequence[str], *, raw: bool
) -> Answered:
    message = grpc_message(tensors, outputs, raw=raw)
    try:
        async with serving_grpc(bench) as client:
            answer = await client.infer(message)
    except grpc.aio.AioRpcError as error:
        return Answered(400, error.details() or "")
    found: dict[str, Tensor] = {}
    for index, output in enumerate(answer.outputs):
        shape = tuple(output.shape)
        if answer.raw_output_contents:
            blob = memoryview(answer.raw_output_contents[index])
            found[output.name] = decode_binary(output.datatype, shape, blob, "output")
        else:
            values = list(getattr(output.contents, CONTENT_FIELDS[output.datatype]))
            texts = [value.decode() for value in values] if output.datatype == "BYTES" else values
            found[output.name] = decode_json(output.datatype, shape, texts, "output")
    return Answered(OK, outputs=found, datatypes={output.name: output.datatype for output in answer.outputs})


def are_close(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal up to rounding; strings and integers exactly."""
    return one.shape == other.shape and (
        np.allclose(one, other, rtol=1e-5, atol=1e-6) if one.dtype.kind == "f" else np.array_equal(one, other)
    )
