"""Requests and answers survive the wire, a stock Triton client agrees, and every bad request says what is wrong."""

import numpy as np
import orjson
import pytest
import tritonclient.http as triton  # type: ignore[import-untyped]

from tests.support.serving.rest_messages import EXAMPLES, FORMS, answer, asking, decode
from tightrope.service.errors import CallerError, ServerError
from tightrope.service.protocol.rest import InferResponse, OutputRequest, decode_request, encode_response
from tightrope.service.protocol.tensors import TensorSpec, decode_binary, decode_json


@pytest.mark.parametrize(("datatype", "binary"), FORMS)
def test_triton_client_and_this_codec_agree(datatype: str, *, binary: bool) -> None:
    """A stock client's request decodes to its tensors, and it reads our answer as what we encoded."""
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
    """It asks with `binary_data_output`, which is not passed on as a parameter."""
    given_input = triton.InferInput("x", [1, 3], "FP32").set_data_from_numpy(EXAMPLES["FP32"])
    body, length = triton.InferenceServerClient.generate_request_body([given_input])
    request = decode(body, length)
    assert (request.outputs, request.binary_default, request.parameters) == ((), True, {})


@pytest.mark.parametrize(("datatype", "binary"), FORMS)
def test_answer_decodes_to_what_was_encoded(datatype: str, *, binary: bool) -> None:
    """Both forms hold the same values, in C or Fortran order."""
    tensor = np.asfortranarray(np.concatenate([EXAMPLES[datatype], EXAMPLES[datatype][:, ::-1]]))
    body, length = encode_response(answer(y=tensor), asking(binary_default=binary))
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
    """Names, version, id and flat parameters, then the outputs asked for, in the order asked for."""
    outputs = {"p": np.array([[0.25, 0.75]], np.float32), "label": np.array([1]), "unasked": np.array([2])}
    wanted = asking(OutputRequest("label", binary=True), OutputRequest("p", binary=False))
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


def test_answer_leaves_out_what_was_not_given() -> None:
    """Without an id or parameters the answer has no such field."""
    body, _ = encode_response(InferResponse("m", "1", None, {}, {}), asking())
    assert orjson.loads(body) == {"model_name": "m", "model_version": "1", "outputs": []}


def test_fp16_output_as_json_is_the_callers_mistake() -> None:
    """The error says how to ask."""
    with pytest.raises(CallerError, match=r"output 'y': FP16 .* binary_data"):
        encode_response(answer(y=EXAMPLES["FP16"]), asking())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_json_cannot_hold_are_not_sent_as_null(value: float) -> None:
    """NaN and infinity travel as binary data only; a caller must not mistake null for a number."""
    response = answer(y=np.array([1.0, value], np.float32))
    with pytest.raises(ServerError, match="output 'y' has NaN or infinity"):
        encode_response(response, asking())
    assert encode_response(response, asking(binary_default=True))[1] is not None
    with pytest.raises(ServerError, match=r"parameters\['confidence'\]"):
        encode_response(InferResponse("m", "1", None, {"confidence": value}, {}), asking())


def test_the_word_null_is_still_a_word() -> None:
    """Text that looks like the sign of NaN passes."""
    body, _ = encode_response(answer(null=np.array(["null"], object)), asking())
    assert orjson.loads(body)["outputs"][0]["data"] == ["null"]


def test_output_the_model_did_not_give_is_the_servers_fault() -> None:
    """The request was good."""
    with pytest.raises(ServerError, match="output 'p'"):
        encode_response(answer(), asking(OutputRequest("p", binary=False)))
