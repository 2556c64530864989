"""Answers are encoded as the protocol demands, and a Triton client reads them."""

import numpy as np
import orjson
import pytest
import tritonclient.http as triton  # type: ignore[import-untyped]
from msgspec.structs import replace

from tests.support.serving.rest_messages import EXAMPLES, FORMS, answer, decode, requesting
from tightrope.service.errors import CallerError, ServerError
from tightrope.service.protocol.rest import InferResponse, OutputRequest, decode_request, encode_response
from tightrope.service.protocol.tensors import TensorSpec, decode_binary, decode_json


@pytest.mark.parametrize(("datatype", "binary"), FORMS)
def test_triton_client_and_this_codec_agree(datatype: str, *, binary: bool) -> None:
    """Its request decodes to its tensors, and it reads the encoded answer."""
    tensor = EXAMPLES[datatype]
    given_input = triton.InferInput("x", list(tensor.shape), datatype)
    given_input.set_data_from_numpy(tensor, binary_data=binary)
    wanted = triton.InferRequestedOutput("y", binary_data=binary)
    body, length = triton.InferenceServerClient.generate_request_body(
        [given_input], [wanted], request_id="abc", parameters={"region": "north"}
    )
    request = decode_request(body, length, [TensorSpec("x", datatype, (-1, 3))], [TensorSpec("y", datatype, (-1, 3))])
    assert request.inputs["x"].dtype == tensor.dtype
    assert request.inputs["x"].tolist() == tensor.tolist()
    assert (request.id, request.parameters) == ("abc", {"region": "north"})

    text, header = encode_response(answer(y=tensor), request)
    result = triton.InferenceServerClient.parse_response_body(text, header_length=header)
    seen = result.as_numpy("y").tolist()
    if datatype == "BYTES" and binary:  # the client hands strings back as bytes
        seen = [[text.decode() for text in row] for row in seen]
    assert seen == tensor.tolist()
    assert result.get_output("y")["datatype"] == datatype
    assert result.get_response()["id"] == "abc"


def test_triton_client_without_outputs_gets_all_in_binary() -> None:
    """It sends `binary_data_output`, which is not passed on as a parameter."""
    given_input = triton.InferInput("x", [1, 3], "FP32").set_data_from_numpy(EXAMPLES["FP32"])
    body, length = triton.InferenceServerClient.generate_request_body([given_input])
    request = decode(body, length)
    assert (request.outputs, request.binary_default, request.parameters) == ((), True, {})


@pytest.mark.parametrize(("datatype", "binary"), FORMS)
def test_answer_decodes_to_what_was_encoded(datatype: str, *, binary: bool) -> None:
    """Both forms have the same values, in C and Fortran order."""
    tensor = np.asfortranarray(np.concatenate([EXAMPLES[datatype], EXAMPLES[datatype][:, ::-1]]))
    body, length = encode_response(answer(y=tensor), requesting(binary_default=binary))
    head = orjson.loads(body[:length])
    output = head["outputs"][0]
    assert (output["name"], output["datatype"], output["shape"]) == ("y", datatype, [2, 3])
    if binary:
        assert output["parameters"] == {"binary_data_size": len(body) - (length or 0)}
        decoded = decode_binary(datatype, (2, 3), memoryview(body)[length:], "y")
    else:
        assert length is None
        decoded = decode_json(datatype, (2, 3), output["data"], "y")
    assert decoded.tolist() == tensor.tolist()


def test_answer_has_the_fields_of_the_protocol() -> None:
    """Names, version, id, parameters, and the requested outputs in their order."""
    outputs = {"p": np.array([[0.25, 0.75]], np.float32), "label": np.array([1]), "extra": np.array([2])}
    wanted = requesting(OutputRequest("label", binary=True), OutputRequest("p", binary=False))
    body, length = encode_response(answer(**outputs), wanted)
    assert length is not None
    assert orjson.loads(body[:length]) == {
        "model_name": "m",
        "model_version": "1",
        "id": "abc",
        "parameters": {"served_by": "compressed", "safe_mode": False, "confidence": 0.5, "rows": 1},
        "outputs": [
            {"name": "label", "shape": [1], "datatype": "INT64", "parameters": {"binary_data_size": 8}},
            {"name": "p", "shape": [1, 2], "datatype": "FP32", "data": [0.25, 0.75]},
        ],
    }
    assert body[length:] == (1).to_bytes(8, "little")


def test_answer_omits_missing_fields() -> None:
    """Without an id or parameters the answer lacks the field."""
    body, _ = encode_response(InferResponse("m", "1", None, {}, {}), requesting())
    assert orjson.loads(body) == {"model_name": "m", "model_version": "1", "outputs": []}


def test_fp16_output_as_json_is_a_caller_error() -> None:
    """The error names the valid form."""
    with pytest.raises(CallerError, match=r"output 'y': FP16 .* binary_data"):
        encode_response(answer(y=EXAMPLES["FP16"]), requesting())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_not_sent_as_null(value: float) -> None:
    """They can be sent as binary data only; a client could take null for a number."""
    response = answer(y=np.array([1.0, value], np.float32))
    with pytest.raises(ServerError, match="output 'y' has NaN or infinity"):
        encode_response(response, requesting())
    assert encode_response(response, requesting(binary_default=True))[1] is not None
    with pytest.raises(ServerError, match=r"parameters\['confidence'\]"):
        encode_response(InferResponse("m", "1", None, {"confidence": value}, {}), requesting())


def test_nan_that_the_caller_sent_is_no_fault_of_the_server() -> None:
    """A model that takes missing values may pass them on: the caller can ask for binary data."""
    sent = replace(requesting(), inputs={"a": np.zeros(2, np.int64), "x": np.array([[1.0, np.nan]], np.float32)})
    with pytest.raises(CallerError, match="output 'y' has NaN or infinity, which JSON cannot hold: request binary"):
        encode_response(answer(y=np.array([np.nan], np.float32)), sent)


def test_text_null_is_encoded() -> None:
    """The search for NaN must not refuse the text "null"."""
    body, _ = encode_response(answer(null=np.array(["null"], object)), requesting())
    assert orjson.loads(body)["outputs"][0]["data"] == ["null"]


def test_missing_output_is_a_server_error() -> None:
    """The request is valid."""
    with pytest.raises(ServerError, match="output 'p'"):
        encode_response(answer(), requesting(OutputRequest("p", binary=False)))
