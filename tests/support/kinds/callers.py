"""Callers of a running server, over HTTP with JSON or binary tensors and over gRPC, alone or many at once."""

import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import numpy as np
from numpy.typing import NDArray

from tests.support.serving.service_harness import LENGTH
from tests.support.serving.transport_answers import http_request
from tightrope.service.protocol.tensors import datatype_of, decode_binary, decode_json, encode_binary
from tightrope.service.transport.grpc.messages import ModelInferRequest, ModelInferResponse
from tightrope.service.transport.grpc.servicer import SERVICE

Tensors = Mapping[str, NDArray[Any]]
TRANSPORTS = ("json", "binary", "grpc")
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: its status (200 for a call of gRPC that ended well), its text, who served it, and its outputs."""

    status: int
    text: str
    served_by: str = ""
    datatypes: Mapping[str, str] | None = None
    outputs: Tensors | None = None


class Callers:
    """Callers of a server that share their connections."""

    def __init__(self, address: str, grpc_address: str) -> None:
        self._http = httpx.Client(base_url=address, timeout=SECONDS)
        self._channel = grpc.insecure_channel(grpc_address)
        self._infer = self._channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            request_serializer=ModelInferRequest.SerializeToString,
            response_deserializer=ModelInferResponse.FromString,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._channel.close()

    def metadata(self, model: str) -> dict[str, Any]:
        """The metadata of a model."""
        answer: dict[str, Any] = self._http.get(f"/v2/models/{model}").json()
        return answer

    def ask(self, transport: str, model: str, given: Tensors) -> Said:
        """Send one request."""
        if transport == "grpc":
            return self._over_grpc(model, given)
        return self._over_http(model, given, binary=transport == "binary")

    def ask_together(self, transport: str, model: str, requests: Sequence[Tensors]) -> Sequence[Said]:
        """Send one request of each caller at once."""
        ready = threading.Barrier(len(requests))

        def call(given: Tensors) -> Said:
            ready.wait(SECONDS)
            return self.ask(transport, model, given)

        with ThreadPoolExecutor(len(requests)) as callers:
            return list(callers.map(call, requests))

    def _over_http(self, model: str, given: Tensors, *, binary: bool) -> Said:
        body, headers = http_request(given, binary=binary)
        answer = self._http.post(f"/v2/models/{model}/infer", content=body, headers=headers)
        if answer.status_code != httpx.codes.OK:
            return Said(answer.status_code, answer.text)
        content = answer.content
        head = int(answer.headers.get(LENGTH, len(content)))
        told, tail, outputs = json.loads(content[:head]), memoryview(content)[head:], {}
        for entry in told["outputs"]:
            name, shape = entry["name"], tuple(entry["shape"])
            if binary:
                size = entry["parameters"]["binary_data_size"]
                outputs[name] = decode_binary(entry["datatype"], shape, tail[:size], name)
                tail = tail[size:]
            else:
                outputs[name] = decode_json(entry["datatype"], shape, entry["data"], name)
        datatypes = {entry["name"]: entry["datatype"] for entry in told["outputs"]}
        return Said(answer.status_code, "", told["parameters"]["served_by"], datatypes, outputs)

    def _over_grpc(self, model: str, given: Tensors) -> Said:
        message = ModelInferRequest(model_name=model)
        for name, tensor in given.items():
            message.inputs.add(name=name, datatype=datatype_of(tensor.dtype), shape=tensor.shape)
            message.raw_input_contents.append(encode_binary(np.ascontiguousarray(tensor)))
        try:
            answer = self._infer(message, timeout=SECONDS)
        except grpc.RpcError as error:
            return Said(500, str(error))
        outputs = {
            entry.name: decode_binary(entry.datatype, tuple(entry.shape), memoryview(content), entry.name)
            for entry, content in zip(answer.outputs, answer.raw_output_contents, strict=True)
        }
        datatypes = {entry.name: entry.datatype for entry in answer.outputs}
        return Said(200, "", answer.parameters["served_by"].string_param, datatypes, outputs)
