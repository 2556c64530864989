"""Headers and compression of bodies, and the encoding of responses and errors."""

import gzip
import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.support.serving.asgi_harness import GOOD, admission
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import error_types, pair_of
from tightrope.service.adapters.incident_copies.copies import CopyFaultError
from tightrope.service.api.deployments import CannotDeployError
from tightrope.service.api.week.iso_week import WeekNameError
from tightrope.service.errors import (
    CallerError,
    ConflictError,
    LimitError,
    OverloadedError,
    ServerError,
    TooLargeError,
    UnavailableError,
    UnknownModelError,
    UnsupportedEncodingError,
)
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.rest import InferRequest, InferResponse, OutputRequest
from tightrope.service.transport.http.codec import (
    BINARY_TYPE,
    JSON_LENGTH_HEADER,
    JSON_TYPE,
    RequestDecoder,
    encode,
    refuse,
    status_of,
)

MAX_BODY_BYTES = 10_000
ENCODING = b"content-encoding"


NAN_BODY = b'{"inputs":[{"name":"input","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}]}'
NAN_HEADERS = {JSON_LENGTH_HEADER: b"%d" % len(NAN_BODY)}


@pytest.fixture
def pair(tmp_path: Path) -> ModelPair:
    """A pair of two floats a row."""
    return pair_of(tmp_path, **sure_and_unsure(tmp_path), **CALM)


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (GOOD, {}),
        (GOOD, {ENCODING: b"identity"}),
        (GOOD, {ENCODING: b""}),
        (gzip.compress(GOOD), {ENCODING: b" GZIP "}),
        (zlib.compress(GOOD), {ENCODING: b"deflate"}),
        (GOOD, {JSON_LENGTH_HEADER: b"%d" % len(GOOD)}),
    ],
    ids=["plain", "identity", "empty", "gzip", "deflate", "all JSON"],
)
def test_body_is_decoded_with_any_encoding(pair: ModelPair, raw: bytes, headers: dict[bytes, bytes]) -> None:
    """Plain or compressed."""
    assert RequestDecoder(admission(MAX_BODY_BYTES)).decode(pair, raw, headers).inputs["input"].tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("raw", "encoding", "error", "words"),
    [
        (GOOD, b"br", UnsupportedEncodingError, "'br'; gzip, deflate and identity"),
        (GOOD, b"gzip", CallerError, "not gzip"),
        (gzip.compress(GOOD)[:-9], b"gzip", CallerError, "ends too early"),
        (gzip.compress(GOOD + b" " * MAX_BODY_BYTES), b"gzip", TooLargeError, f"more than {MAX_BODY_BYTES} bytes"),
    ],
    ids=["unknown", "a lie", "cut", "a bomb"],
)
def test_body_that_cannot_be_inflated_is_refused(
    pair: ModelPair, raw: bytes, encoding: bytes, error: type[Exception], words: str
) -> None:
    """The error says why; no more than the limit is ever in memory."""
    with pytest.raises(error, match=words):
        RequestDecoder(admission(MAX_BODY_BYTES)).decode(pair, raw, {ENCODING: encoding})


def test_response_headers_describe_its_form() -> None:
    """JSON, or JSON of some bytes and binary data; the reply has the request's id."""
    response = InferResponse("m", "1", "an-id", {}, {"p": np.array([0.5], np.float32)})
    text = encode(InferRequest(None, {}, {}, (), binary_default=False), response)
    assert (text.status, text.headers, text.request_id, text.error) == (200, [JSON_TYPE], "an-id", None)
    raw = encode(InferRequest(None, {}, {}, (), binary_default=True), response)
    length = int(dict(raw.headers)[JSON_LENGTH_HEADER])
    assert raw.headers[0] == BINARY_TYPE
    assert raw.body[length:] == b"\x00\x00\x00\x3f"
    assert json.loads(raw.body[:length])["id"] == "an-id"


def test_withheld_output_may_be_requested() -> None:
    """The response has no outputs."""
    asked = InferRequest(None, {}, {}, (OutputRequest("p", binary=True),), binary_default=False)
    assert json.loads(encode(asked, InferResponse("m", "1", "r", {}, {})).body)["outputs"] == []


def test_retry_delay_is_in_whole_seconds() -> None:
    """At least one."""
    for seconds, seconds_sent in ((0.0, b"1"), (1.2, b"2")):
        reply = refuse(OverloadedError("7 wait already", seconds))
        assert (reply.status, dict(reply.headers)[b"retry-after"]) == (503, seconds_sent)
        assert json.loads(reply.body) == {"error": "7 wait already"}


def test_status_depends_on_the_error() -> None:
    """4xx for the caller's errors, 5xx for the server's, with HTTP's own codes where they exist."""
    assert {kind: status_of(kind("")) for kind in error_types(CallerError)} == {
        CallerError: 400,
        CannotDeployError: 400,
        LimitError: 400,
        UnknownModelError: 404,
        WeekNameError: 404,
        ConflictError: 409,
        TooLargeError: 413,
        UnsupportedEncodingError: 415,
    }
    ours = [kind for kind in error_types(ServerError) if kind.__module__ == ServerError.__module__]
    expected = {ServerError: 500, UnavailableError: 503, OverloadedError: 503}
    assert status_of(CopyFaultError("damaged", "")) == 503
    assert {kind: status_of(kind("")) for kind in ours} == expected
    assert status_of(RuntimeError()) == 500


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_value_that_is_not_finite_needs_permission(tmp_path: Path, value: float) -> None:
    """A missing value is a real thing: `allow_nan` lets it pass, in the binary and in the raw form."""
    row = np.array([[1.0, value]], np.float32)
    bodies = ((NAN_BODY + row.tobytes(), NAN_HEADERS), (row.tobytes(), {JSON_LENGTH_HEADER: b"0"}))
    for allow in (False, True):
        pair = pair_of(tmp_path, **sure_and_unsure(tmp_path), **CALM, allow_nan=allow)
        decoder = RequestDecoder(admission(MAX_BODY_BYTES))
        for body, headers in bodies:
            if allow:
                assert np.array_equal(decoder.decode(pair, body, headers).inputs["input"], row, equal_nan=True)
                continue
            with pytest.raises(CallerError, match=r"input 'input', row 0: has (nan|inf) at \[1\], must be finite"):
                decoder.decode(pair, body, headers)
