"""What a head says is what it said before, to the byte."""

import pytest

from tightrope.service.transport.http import head_cache
from tightrope.service.transport.http.head_cache import Heads, Said
from tightrope.service.transport.responder import LARGE

PATH = b"/v2/models/m/infer"
SAID = Said("m", None, 4, None)


def at_hand() -> Heads:
    """Where one model is served, in one version."""
    return Heads(lambda model, version: model == "m" and version in {None, "1"})


def test_inference_request_says_model_version_and_sizes() -> None:
    """The last of a header that comes twice counts; others say nothing."""
    told = [(b"content-length", b"10"), (b"accept", b"*/*"), (b"inference-header-content-length", b"7")]
    assert at_hand().read(PATH, told) == Said("m", None, 10, b"7")
    assert at_hand().read(b"/v2/models/m/versions/1/infer", told) == Said("m", "1", 10, b"7")


@pytest.mark.parametrize(
    ("url", "header"),
    [
        (b"/v2/models/m", (b"content-length", b"4")),
        (b"/v2/models/%6d/infer", (b"content-length", b"4")),
        (PATH, (b"content-length", b"%d" % (LARGE + 1))),
        (PATH, (b"content-length", b"0" * 30)),
        (PATH, (b"accept", b"*/*")),
        (PATH, (b"expect", b"100-continue")),
        (PATH, (b"transfer-encoding", b"chunked")),
        (PATH, (b"content-encoding", b"gzip")),
        (PATH, (b"upgrade", b"h2c")),
    ],
)
def test_head_of_anything_else_says_nothing(url: bytes, header: tuple[bytes, bytes]) -> None:
    """It is for others to read."""
    assert at_hand().read(url, [header]) is None


def test_head_is_recalled_with_any_body_of_its_size() -> None:
    """And with none of another: there is more, or less, than one request."""
    own = at_hand()
    own.remember(b"a head\r\n\r\nbody", SAID)
    assert own.recall(b"a head\r\n\r\n\r\n\r\n") == (SAID, b"\r\n\r\n")
    for other in (b"a head\r\n\r\nbodybody", b"a head\r\n\r\nbod", b"A head\r\n\r\nbody", b"a head\r\n", b"body", b""):
        assert own.recall(other) is None


@pytest.mark.parametrize(
    "data",
    [
        b"a head\r\n\r\nbodya head\r\n\r\nbody",
        b"ody",
        b"dy of another\r\n\r\na head\r\n\r\nbody",
        b"a head" + b" " * head_cache.MOST_BYTES + b"\r\n\r\nbody",
    ],
    ids=["two", "a piece", "the end of another", "long"],
)
def test_only_what_is_one_short_request_is_remembered(data: bytes) -> None:
    """Of other bytes nobody could tell which are the head."""
    own = at_hand()
    own.remember(data, SAID)
    assert not own._said


def test_head_that_names_what_is_not_served_is_not_remembered() -> None:
    """Such names have no end."""
    own = at_hand()
    for number in range(9):
        own.read(b"/v2/models/m%d/infer" % number, [(b"content-length", b"4")])
        own.remember(b"a head %d\r\n\r\nbody" % number, Said(f"m{number}", None, 4, None))
        own.remember(b"a head %d\r\n\r\nbody" % number, Said("m", str(number + 2), 4, None))
    assert not own._said
    assert not own._paths


def test_answer_begins_with_the_headers_of_the_moment() -> None:
    """uvicorn makes the date anew every second."""
    own, now = at_hand(), [(b"date", b"now")]
    assert own.begin(200, now) == own.begin(200, now) == b"HTTP/1.1 200 OK\r\ndate: now\r\n"
    assert own.begin(200, [(b"date", b"later")]) == b"HTTP/1.1 200 OK\r\ndate: later\r\n"
    assert own.begin(404, now) == b"HTTP/1.1 404 Not Found\r\ndate: now\r\n"
