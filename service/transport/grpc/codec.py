"""Inference requests and responses of the Open Inference Protocol v2 over gRPC, to and from protobuf messages.

Sources: Open Inference Protocol v2, `open_inference_grpc.proto`, for messages and typed contents;
Triton Inference Server, `extension_binary_data.md`, for strings in raw contents.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from tightrope.service.errors import CallerError, quote
from tightrope.service.protocol.rest import (
    MAX_ID_LENGTH,
    UNSUPPORTED,
    InferRequest,
    InferResponse,
    OutputRequest,
    Scalar,
)
from tightrope.service.protocol.tensors import (
    Shape,
    Tensor,
    TensorSpec,
    check,
    datatype_of,
    decode_binary_input,
    decode_json,
    encode_binary,
)
from tightrope.service.transport.grpc.messages import (
    InferParameter,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
)

AnyMessage = TypeVar("AnyMessage", bound=Message)
_Parameters = Mapping[str, InferParameter]

CONTENT_FIELDS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""The field of typed contents for each datatype; FP16 has none and is always raw."""


def parse(kind: type[AnyMessage], raw: bytes) -> AnyMessage:
    """Parse a message.

    Raises:
        CallerError: when the bytes are not a message of that kind.
    """
    try:
        return kind.FromString(raw)
    except DecodeError:
        raise CallerError(f"the request is no {kind.DESCRIPTOR.name}: {len(raw)} bytes that cannot be read") from None


def decode_request(
    message: ModelInferRequest, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> InferRequest:
    """Decode a request for a model with these inputs and outputs. Outputs are returned as the inputs came, raw or
    typed, unless `parameters.binary_data_output` is set.

    Raises:
        CallerError: naming the tensor, for a request that the model cannot run.
    """
    if len(message.id) > MAX_ID_LENGTH:
        raise CallerError(f"id is {quote(message.id)}, must have at most {MAX_ID_LENGTH} characters")
    parameters = _scalars(message.parameters, "request")
    binary = parameters.pop("binary_data_output", bool(message.raw_input_contents))
    if type(binary) is not bool:
        raise CallerError(f"parameters.binary_data_output is {quote(binary)}, must be true or false")
    return InferRequest(
        id=message.id or None,
        parameters=parameters,
        inputs=_decode_inputs(message, inputs),
        outputs=_decode_outputs(message, outputs, binary=binary),
        binary_default=binary,
    )


def encode_response(response: InferResponse, request: InferRequest) -> ModelInferResponse:
    """Encode a response. One output without typed contents, FP16, makes all outputs raw, as the protocol requires."""
    message = ModelInferResponse(model_name=response.model_name, model_version=response.model_version)
    message.id = response.id or ""
    for name, value in response.parameters.items():
        _put(message.parameters[name], value)
    datatypes = {name: datatype_of(tensor.dtype) for name, tensor in response.outputs.items()}
    raw = request.binary_default or not CONTENT_FIELDS.keys() >= set(datatypes.values())
    for name, tensor in response.outputs.items():
        output = message.outputs.add(name=name, datatype=datatypes[name], shape=tensor.shape)
        if raw:
            message.raw_output_contents.append(encode_binary(tensor))
        else:
            fill(output.contents, datatypes[name], tensor)
    return message


def fill(contents: InferTensorContents, datatype: str, tensor: Tensor) -> None:
    """Put a tensor's elements into the field of their datatype."""
    values = tensor.ravel().tolist()
    getattr(contents, CONTENT_FIELDS[datatype]).extend(
        [text.encode() for text in values] if datatype == "BYTES" else values
    )


def _decode_inputs(message: ModelInferRequest, specs: Sequence[TensorSpec]) -> dict[str, Tensor]:
    by_name = {spec.name: spec for spec in specs}
    raws = message.raw_input_contents
    if raws and len(raws) != len(message.inputs):
        raise CallerError(f"raw_input_contents has {len(raws)} tensors, must have {len(message.inputs)}: one an input")
    tensors: dict[str, Tensor] = {}
    for index, entry in enumerate(message.inputs):
        spec = _named(entry.name, by_name, "input")
        where = f"input {spec.name!r}"
        if spec.name in tensors:
            raise CallerError(f"{where} is given twice")
        _refuse_unsupported(entry.parameters, where)
        shape = tuple(entry.shape)
        datatype = check(shape, entry.datatype, spec, where)
        raw = raws[index] if raws else None
        tensors[spec.name] = _decode_tensor(datatype, spec, shape, entry.contents, raw, where)
    if len(tensors) != len(by_name):
        raise CallerError(f"inputs: missing {', '.join(name for name in by_name if name not in tensors)}")
    return tensors


def _decode_tensor(
    datatype: str, spec: TensorSpec, shape: Shape, contents: InferTensorContents, raw: bytes | None, where: str
) -> Tensor:
    """The tensor from raw contents, or else from typed ones."""
    given = [field.name for field, _ in contents.ListFields()]
    if raw is not None:
        if given:
            raise CallerError(f"{where}: has {given[0]} beside raw_input_contents, give one of the two")
        return decode_binary_input(datatype, spec, shape, memoryview(raw), where)
    field = CONTENT_FIELDS.get(datatype)
    if field is None:
        raise CallerError(f"{where}: {datatype} has no typed contents, send it in raw_input_contents")
    if given != [field] and (given or 0 not in shape):
        raise CallerError(f"{where}: contents has {', '.join(given) or 'nothing'}, {datatype} goes into {field}")
    values = list(getattr(contents, field))
    return decode_json(datatype, shape, _texts(values, where) if datatype == "BYTES" else values, where)


def _texts(values: list[bytes], where: str) -> list[str]:
    texts: list[str] = []
    try:
        texts.extend(str(value, "utf-8") for value in values)
    except UnicodeDecodeError:
        raise CallerError(f"{where}: data element {len(texts)} is not valid UTF-8") from None
    return texts


def _decode_outputs(
    message: ModelInferRequest, specs: Sequence[TensorSpec], *, binary: bool
) -> tuple[OutputRequest, ...]:
    by_name = {spec.name: spec for spec in specs}
    wanted: dict[str, OutputRequest] = {}
    for entry in message.outputs:
        name = _named(entry.name, by_name, "output").name
        if name in wanted:
            raise CallerError(f"output {name!r} is requested twice")
        _refuse_unsupported(entry.parameters, f"output {name!r}")
        wanted[name] = OutputRequest(name, binary)
    return tuple(wanted.values())


def _named(name: str, specs: Mapping[str, TensorSpec], what: str) -> TensorSpec:
    if name not in specs:
        raise CallerError(f"{what} name is {quote(name)}, must be one of {', '.join(specs)}")
    return specs[name]


def _refuse_unsupported(parameters: _Parameters, where: str) -> None:
    """A parameter that changes the meaning of a tensor must not be ignored."""
    for key in UNSUPPORTED & set(parameters):
        raise CallerError(f"{where}: parameters.{key} is not supported, leave it out")


def _scalars(parameters: _Parameters, where: str) -> dict[str, Scalar]:
    kinds = {name: value.WhichOneof("parameter_choice") for name, value in parameters.items()}
    for name, kind in kinds.items():
        if kind is None:
            raise CallerError(f"{where}: parameters[{quote(name)}] must be a string, a number or a boolean")
    return {name: _value(parameters[name], kind) for name, kind in kinds.items()}


def _value(parameter: InferParameter, kind: Any) -> Scalar:  # noqa: ANN401 - the name of the field that is set
    value: Scalar = getattr(parameter, kind)
    return value


def _put(parameter: InferParameter, value: Scalar) -> None:
    """Put a scalar into the field of its type. A bool is an int in Python, but not in the protocol."""
    if isinstance(value, bool):
        parameter.bool_param = value
    elif isinstance(value, int):
        parameter.int64_param = value
    elif isinstance(value, float):
        parameter.double_param = value
    else:
        parameter.string_param = value
