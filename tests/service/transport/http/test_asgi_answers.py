"""Inference over HTTP: JSON and binary, raw bodies, versions, and the response's parameters."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support.serving.service_harness import LENGTH, body

UNSURE, SURE = [0.0, 1.0], [0.0, 5.0]
PLAIN = "/v2/models/plain/infer"


def binary(rows: list[list[float]], **fields: Any) -> tuple[bytes, dict[str, str]]:  # noqa: ANN401 - request fields
    """A request with its input as binary data, and the header with the bytes of its JSON."""
    array = np.array(rows, "<f4")
    tensor = {"name": "input", "shape": array.shape, "datatype": "FP32"}
    head = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": array.nbytes}}], **fields}).encode()
    return head + array.tobytes(), {LENGTH: str(len(head)), "Content-Type": "application/octet-stream"}


def opened(answer: httpx.Response) -> tuple[dict[str, Any], bytes]:
    """The JSON of a response, and the binary data after it."""
    length = int(answer.headers[LENGTH])
    return json.loads(answer.content[:length]), answer.content[length:]


def test_json_request_is_answered_in_json(client: httpx.Client) -> None:
    """Every field of the protocol, with flat scalars as parameters."""
    answer = client.post(PLAIN, json=body([UNSURE, SURE], id="abc"))
    document = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert {key: document[key] for key in ("model_name", "model_version", "id")} == {
        "model_name": "plain",
        "model_version": "1",
        "id": "abc",
    }
    (output,) = document["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("probabilities", "FP32", [2, 2])
    assert output["data"] == pytest.approx([0.7310586, 0.2689414, 0.9933072, 0.0066929], abs=1e-6)
    assert {type(value) for value in document["parameters"].values()} <= {str, float, bool}
    assert {"served_by", "safe_mode", "confidence", "uncertainty", "refused", "model_digest"} == document[
        "parameters"
    ].keys()


def test_id_is_generated_if_absent(client: httpx.Client) -> None:
    """Every response has one."""
    made = {client.post(PLAIN, json=body([SURE])).json()["id"] for _ in range(3)}
    assert len(made) == 3


def test_version_in_the_path_is_the_same_model(client: httpx.Client) -> None:
    """The configured version answers, another one does not exist."""
    answer = client.post("/v2/models/modes/versions/7.1/infer", json=body([SURE])).json()
    assert answer["model_version"] == "7.1"
    other = client.post("/v2/models/modes/versions/1/infer", json=body([SURE]))
    assert (other.status_code, other.json()) == (404, {"error": "model 'modes' has no version '1'; it has '7.1'"})


def test_binary_input_is_read_and_answered_in_json(client: httpx.Client) -> None:
    """The forms of inputs and outputs are independent."""
    content, headers = binary([UNSURE])
    answer = client.post(PLAIN, content=content, headers=headers)
    assert answer.json()["outputs"] == client.post(PLAIN, json=body([UNSURE])).json()["outputs"]
    assert LENGTH not in answer.headers


@pytest.mark.parametrize(
    "asked",
    [
        {"parameters": {"binary_data_output": True}},
        {"outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}]},
    ],
    ids=["all", "one"],
)
def test_output_is_binary_on_request(client: httpx.Client, asked: dict[str, Any]) -> None:
    """For the whole request or for one output; the values are equal."""
    content, headers = binary([UNSURE, SURE], **asked)
    answer = client.post(PLAIN, content=content, headers=headers)
    document, data = opened(answer)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert document["outputs"] == [
        {"name": "probabilities", "shape": [2, 2], "datatype": "FP32", "parameters": {"binary_data_size": 16}}
    ]
    plain = client.post(PLAIN, json=body([UNSURE, SURE])).json()
    assert np.frombuffer(data, "<f4").tolist() == pytest.approx(plain["outputs"][0]["data"])
    assert "binary_data_output" not in document["parameters"]


def test_outputs_come_as_selected_and_in_that_order(client: httpx.Client) -> None:
    """One in binary, the other not, though the request's default is binary."""
    tensor = {"name": "value", "shape": [1, 2], "datatype": "INT64", "data": [1, 2]}
    asked = {"outputs": [{"name": "probabilities", "parameters": {"binary_data": False}}, {"name": "echo"}]}
    request = {"inputs": [tensor], "parameters": {"binary_data_output": True}, **asked}
    document, data = opened(client.post("/v2/models/echo_INT64/infer", json=request))
    assert [output["name"] for output in document["outputs"]] == ["probabilities", "echo"]
    assert document["outputs"][0]["data"] == [0.25, 0.75]
    assert np.frombuffer(data, "<i8").tolist() == [1, 2]
    only = {"inputs": [tensor], "outputs": [{"name": "echo"}]}
    answer = client.post("/v2/models/echo_INT64/infer", json=only).json()
    assert [output["name"] for output in answer["outputs"]] == ["echo"]


def test_raw_body_is_one_row(client: httpx.Client) -> None:
    """Without JSON: header 0, bytes in, bytes out."""
    answer = client.post(PLAIN, content=np.array(SURE, "<f4").tobytes(), headers={LENGTH: "0"})
    document, data = opened(answer)
    assert document["outputs"][0]["shape"] == [1, 2]
    assert np.frombuffer(data, "<f4").tolist() == pytest.approx([0.9933072, 0.0066929], abs=1e-6)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes), ("GZIP", gzip.compress)],
)
def test_compressed_request_is_inflated(client: httpx.Client, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    """JSON and binary; the header's length is that of the JSON before compression."""
    content, headers = binary([UNSURE])
    for plain, extra in ((json.dumps(body([UNSURE])).encode(), {}), (content, headers)):
        answer = client.post(PLAIN, content=pack(plain), headers={"Content-Encoding": encoding, **extra})
        assert answer.json()["outputs"][0]["shape"] == [1, 2]


def test_refusal_is_in_the_response(client: httpx.Client) -> None:
    """flag marks the answer, abstain has no outputs, escalate runs the baseline: three responses, no error."""
    answers = {
        action: client.post(f"/v2/models/{action}/infer", json=body([SURE, UNSURE])).json()
        for action in ("flag", "abstain", "escalate")
    }
    parameters = {action: answer["parameters"] for action, answer in answers.items()}
    assert {action: document["refused"] for action, document in parameters.items()} == {
        "flag": True,
        "abstain": True,
        "escalate": False,
    }
    assert parameters["flag"]["refused_rows"] == "1"
    assert [len(answers[action]["outputs"]) for action in ("flag", "abstain", "escalate")] == [1, 0, 1]
    assert (parameters["escalate"]["served_by"], parameters["escalate"]["escalated"]) == ("baseline", True)


def test_withheld_outputs_may_be_requested(client: httpx.Client) -> None:
    """By name, in binary: an abstaining model gives an empty list."""
    asked = [{"name": "probabilities", "parameters": {"binary_data": True}}]
    answer = client.post("/v2/models/abstain/infer", json=body([UNSURE], outputs=asked))
    assert (answer.status_code, answer.json()["outputs"]) == (200, [])


def test_regression_is_answered_without_confidence(client: httpx.Client) -> None:
    """Values, and the role that gave them."""
    document = client.post("/v2/models/value/infer", json=body([[1.0, 2.0]])).json()
    assert document["outputs"][0]["data"] == [5.0]
    assert "confidence" not in document["parameters"]
