"""What bodies and headers mean, and what becomes of answers and errors; the bodies themselves are `protocol`'s."""

import gzip
import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.support.serving.asgi_harness import GOOD
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import kinds, pair_of
from tightrope.service.api.deployments import CannotDeployError
from tightrope.service.errors import (
    CallerError,
    OverloadedError,
    ServerError,
    TooLargeError,
    UnavailableError,
    UnknownModelError,
    UnsupportedEncodingError,
)
from tightrope.service.inference.model_pair import Pair
from tightrope.service.protocol.rest import InferRequest, InferResponse, OutputRequest
from tightrope.service.transport.http.codec import BINARY, JSON, LENGTH_NAME, Decoder, encode, refuse, status_of

MOST = 10_000
ENCODING = b"content-encoding"


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Of two floats a row."""
    return pair_of(tmp_path, **sure_and_unsure(tmp_path), **CALM)


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (GOOD, {}),
        (GOOD, {ENCODING: b"identity"}),
        (GOOD, {ENCODING: b""}),
        (gzip.compress(GOOD), {ENCODING: b" GZIP "}),
        (zlib.compress(GOOD), {ENCODING: b"deflate"}),
        (GOOD, {LENGTH_NAME: b"%d" % len(GOOD)}),
    ],
    ids=["plain", "identity", "empty", "gzip", "deflate", "all JSON"],
)
def test_body_is_read_however_it_is_packed(pair: Pair, raw: bytes, headers: dict[bytes, bytes]) -> None:
    """As it is, or compressed."""
    assert Decoder(MOST).decode(pair, raw, headers).inputs["input"].tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("raw", "encoding", "error", "words"),
    [
        (GOOD, b"br", UnsupportedEncodingError, "'br'; gzip, deflate and identity"),
        (GOOD, b"gzip", CallerError, "not gzip"),
        (gzip.compress(GOOD)[:-9], b"gzip", CallerError, "ends too early"),
        (gzip.compress(GOOD + b" " * MOST), b"gzip", TooLargeError, f"more than {MOST} bytes"),
    ],
    ids=["unknown", "a lie", "cut", "a bomb"],
)
def test_body_that_cannot_be_unpacked_is_refused(
    pair: Pair, raw: bytes, encoding: bytes, error: type[Exception], words: str
) -> None:
    """With what is wrong, and never more of it in memory than is taken."""
    with pytest.raises(error, match=words):
        Decoder(MOST).decode(pair, raw, {ENCODING: encoding})


def test_answer_says_in_its_headers_what_it_is() -> None:
    """JSON, or bytes behind so much JSON; and whose answer it is."""
    response = InferResponse("m", "1", "an-id", {}, {"p": np.array([0.5], np.float32)})
    text = encode(InferRequest(None, {}, {}, (), binary_default=False), response)
    assert (text.status, text.headers, text.request_id, text.error) == (200, [JSON], "an-id", None)
    raw = encode(InferRequest(None, {}, {}, (), binary_default=True), response)
    length = int(dict(raw.headers)[LENGTH_NAME])
    assert raw.headers[0] == BINARY
    assert raw.body[length:] == b"\x00\x00\x00\x3f"
    assert json.loads(raw.body[:length])["id"] == "an-id"


def test_output_that_is_withheld_is_no_error_for_who_asks_for_it() -> None:
    """The answer has none."""
    asked = InferRequest(None, {}, {}, (OutputRequest("p", binary=True),), binary_default=False)
    assert json.loads(encode(asked, InferResponse("m", "1", "r", {}, {})).body)["outputs"] == []


def test_refused_caller_is_told_in_whole_seconds_when_to_come_again() -> None:
    """Never none."""
    for seconds, told in ((0.0, b"1"), (1.2, b"2")):
        reply = refuse(OverloadedError("7 wait already", seconds))
        assert (reply.status, dict(reply.headers)[b"retry-after"]) == (503, told)
        assert json.loads(reply.body) == {"error": "7 wait already"}


def test_status_tells_whose_fault_it_is() -> None:
    """4xx for the caller's, 5xx for ours; the kinds that HTTP has a word for get it."""
    assert {kind: status_of(kind("")) for kind in kinds(CallerError)} == {
        CallerError: 400,
        CannotDeployError: 400,
        UnknownModelError: 404,
        TooLargeError: 413,
        UnsupportedEncodingError: 415,
    }
    ours = [kind for kind in kinds(ServerError) if ".rpc." not in kind.__module__]
    expected = {ServerError: 500, UnavailableError: 503, OverloadedError: 503}
    assert {kind: status_of(kind("")) for kind in ours} == expected
    assert status_of(RuntimeError()) == 500
