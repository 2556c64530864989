"""The head cache returns what was parsed for exactly these bytes."""

import pytest

from tightrope.service.inference.engine import LARGE_BYTES
from tightrope.service.transport.call_context import CallContext
from tightrope.service.transport.http import head_cache
from tightrope.service.transport.http.head_cache import HeadCache, RequestHead

INFER_PATH = b"/v2/models/m/infer"
HEAD = RequestHead("m", None, 4, None)


def make_cache() -> HeadCache:
    """A cache where one model is served, in one version."""
    return HeadCache(lambda model, version: model == "m" and version in {None, "1"}, lambda _: b"x-account")


def test_head_of_inference_has_model_version_and_sizes() -> None:
    """The last of a repeated header counts; other headers are ignored."""
    headers = [(b"content-length", b"10"), (b"accept", b"*/*"), (b"inference-header-content-length", b"7")]
    assert make_cache().parse(INFER_PATH, headers) == RequestHead("m", None, 10, b"7")
    assert make_cache().parse(b"/v2/models/m/versions/1/infer", headers) == RequestHead("m", "1", 10, b"7")


def test_head_has_the_caller_of_the_configured_header() -> None:
    """Another caller is another head, so that a cached head cannot be taken for that of another caller."""
    headers = [(b"content-length", b"4"), (b"x-account", b"ann"), (b"x-user", b"eve")]
    head = make_cache().parse(INFER_PATH, headers)
    assert head == RequestHead("m", None, 4, None, CallContext(caller="ann"))


def test_head_with_an_id_or_a_trace_of_its_own_is_not_cached() -> None:
    """It would not come again, and would take the room of one that does."""
    cache = make_cache()
    for name, value in ((b"x-request-id", b"r-1"), (b"traceparent", b"00-" + b"a" * 32 + b"-00f067aa0ba902b7-01")):
        head = cache.parse(INFER_PATH, [(b"content-length", b"4"), (name, value)])
        assert head is not None
        cache.remember(b"a head\r\n\r\nbody", head)
        assert cache == {}
    head = cache.parse(INFER_PATH, [(b"content-length", b"4"), (b"x-account", b"ann"), (b"traceparent", b"none")])
    assert head == RequestHead("m", None, 4, None, CallContext(caller="ann"))
    cache.remember(b"a head\r\n\r\nbody", head)
    assert cache == {b"a head\r\n\r\n": head}


@pytest.mark.parametrize(
    ("url", "header"),
    [
        (b"/v2/models/m", (b"content-length", b"4")),
        (b"/v2/models/%6d/infer", (b"content-length", b"4")),
        (INFER_PATH, (b"content-length", b"%d" % (LARGE_BYTES + 1))),
        (INFER_PATH, (b"content-length", b"0" * 30)),
        (INFER_PATH, (b"accept", b"*/*")),
        (INFER_PATH, (b"expect", b"100-continue")),
        (INFER_PATH, (b"transfer-encoding", b"chunked")),
        (INFER_PATH, (b"content-encoding", b"gzip")),
        (INFER_PATH, (b"upgrade", b"h2c")),
    ],
)
def test_other_heads_are_left_to_asgi(url: bytes, header: tuple[bytes, bytes]) -> None:
    """They are not parsed here."""
    assert make_cache().parse(url, [header]) is None


def test_head_of_one_whole_request_is_cached() -> None:
    """By the bytes up to its body."""
    cache = make_cache()
    cache.remember(b"a head\r\n\r\nbody", HEAD)
    assert cache == {b"a head\r\n\r\n": HEAD}


@pytest.mark.parametrize(
    "data",
    [
        b"a head\r\n\r\nbodya head\r\n\r\nbody",
        b"ody",
        b"dy of another\r\n\r\na head\r\n\r\nbody",
        b"a head" + b" " * head_cache.MAX_HEAD_BYTES + b"\r\n\r\nbody",
    ],
    ids=["two", "a piece", "the end of another", "long"],
)
def test_only_one_whole_short_request_is_cached(data: bytes) -> None:
    """In other data the head's bytes are not known."""
    cache = make_cache()
    cache.remember(data, HEAD)
    assert not cache


def test_head_of_a_model_that_is_not_served_is_not_cached() -> None:
    """Callers can invent any number of them."""
    cache = make_cache()
    for number in range(9):
        cache.parse(b"/v2/models/m%d/infer" % number, [(b"content-length", b"4")])
        cache.remember(b"a head %d\r\n\r\nbody" % number, RequestHead(f"m{number}", None, 4, None))
        cache.remember(b"a head %d\r\n\r\nbody" % number, RequestHead("m", str(number + 2), 4, None))
    assert not cache
    assert not cache._models
