"""Calls over gRPC that a fuzzer makes: messages with changed fields, and changed bytes."""

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tests.support.fuzz.http_requests import ECHOES
from tests.support.fuzz.mutations import NUMBERS, TEXTS, changed_bytes
from tests.support.serving.model_pairs import TENSORS
from tightrope.service.protocol.tensors import encode_binary
from tightrope.service.transport.grpc.codec import CONTENT_FIELDS, fill
from tightrope.service.transport.grpc.messages import ModelInferRequest

CALLS = ("ServerLive", "ServerReady", "ServerMetadata", "ModelReady", "ModelMetadata", "RepositoryIndex", "Nothing")


class GrpcCall(NamedTuple):
    """One call: its method and the bytes of its message."""

    method: str
    message: bytes


def grpc_calls(rng: random.Random, number: int) -> Iterator[GrpcCall]:
    """Inference requests of every form with changes, and other calls with some bytes."""
    for _ in range(number):
        if rng.randrange(10) == 0:
            yield GrpcCall(rng.choice(CALLS), rng.randbytes(rng.randrange(12)))
            continue
        message = _request(rng)
        for _ in range(rng.randrange(3)):
            _change(rng, message)
        data = message.SerializeToString()
        yield GrpcCall("ModelInfer", changed_bytes(rng, data) if rng.randrange(3) == 0 else data)


def _request(rng: random.Random) -> Any:  # noqa: ANN401 - a message
    datatype = rng.choice(ECHOES)
    tensor = np.repeat(TENSORS.get(datatype, TENSORS["FP32"]), rng.choice((1, 2, 40)), axis=0)
    message = ModelInferRequest(model_name=f"echo_{datatype}", id=rng.choice(("", "r", "x" * 256)))
    entry = message.inputs.add(name="value", datatype=datatype, shape=tensor.shape)
    if datatype in CONTENT_FIELDS and rng.randrange(2):
        fill(entry.contents, datatype, tensor)
    else:
        message.raw_input_contents.append(encode_binary(tensor))
    return message


def _change(rng: random.Random, message: Any) -> None:  # noqa: ANN401 - a message
    entry = message.inputs[rng.randrange(len(message.inputs))] if message.inputs else message.inputs.add()
    text = rng.choice([text for text in TEXTS if text != "\ud800"])
    whole = int(rng.choice([number for number in NUMBERS if number == number and abs(number) < 2**63]))  # noqa: PLR0124 - NaN
    changes = (
        lambda: setattr(message, rng.choice(("model_name", "model_version", "id")), text),
        lambda: setattr(entry, rng.choice(("name", "datatype")), text),
        lambda: entry.shape.append(whole),
        lambda: entry.shape.__setitem__(0, whole) if entry.shape else None,
        lambda: message.raw_input_contents.append(rng.randbytes(rng.randrange(20))),
        lambda: entry.contents.fp32_contents.extend([float(whole)] * rng.choice((1, 900))),
        lambda: entry.contents.bytes_contents.append(rng.randbytes(3)),
        lambda: entry.contents.ClearField(rng.choice((*{*CONTENT_FIELDS.values()},))),
        lambda: message.parameters.get_or_create(text).SetInParent(),
        lambda: setattr(message.parameters["binary_data_output"], "bool_param", bool(rng.randrange(2))),
        lambda: setattr(message.parameters["region"], "int64_param", whole),
        lambda: message.outputs.add(name=rng.choice(("echo", "probabilities", text))),
        lambda: message.inputs.add().CopyFrom(entry),
        lambda: message.ClearField(rng.choice(("inputs", "raw_input_contents", "id"))),
    )
    rng.choice(changes)()
