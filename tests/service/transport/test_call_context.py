"""The context of a call, beside its body."""

import pytest

from tightrope.service.protocol.rest import InferRequest
from tightrope.service.transport.call_context import CallContext, trace_id_of

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACE = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "trace", [TRACE, f"01-{TRACE_ID}-00f067aa0ba902b7-01-more", f"7e-{TRACE_ID}-00f067aa0ba902b7-01"]
)
def test_trace_has_an_id(trace: str) -> None:
    """Later versions may say more."""
    assert trace_id_of(trace) == TRACE_ID


@pytest.mark.parametrize(
    "trace",
    [
        "",
        "none",
        TRACE + "-more",
        TRACE.upper(),
        "ff" + TRACE[2:],
        TRACE.replace(TRACE_ID, "0" * 32),
        TRACE.replace(TRACE_ID, TRACE_ID[:-1] + "\u0663"),
        TRACE.replace(TRACE_ID, TRACE_ID[:-1] + "g"),
        TRACE[:-1],
    ],
)
def test_other_text_is_no_trace(trace: str) -> None:
    """It is ignored, as W3C Trace Context wants."""
    assert trace_id_of(trace) == ""
    assert CallContext.read("", "", trace) is None


@pytest.mark.parametrize("given", ["", "x" * 129, "two\nlines", "\u00e9", "\x7f"])
def test_request_id_that_is_long_or_not_printable_is_none(given: str) -> None:
    """The gateway then makes one, as without the header."""
    assert CallContext.read("", given, "") is None


def test_id_of_the_body_wins() -> None:
    """The trace and the caller are taken all the same."""
    said = CallContext.read("ann", "r 1", TRACE)
    assert said == CallContext("ann", "r 1", TRACE_ID, "00f067aa0ba902b7", sampled=True)
    own = said.applied(InferRequest("b-1", {}, {}, (), binary_default=False))
    assert (own.id, own.caller, own.trace_id) == ("b-1", "ann", TRACE_ID)
    for body_id in (None, ""):
        assert said.applied(InferRequest(body_id, {}, {}, (), binary_default=False)).id == "r 1"
    assert CallContext("ann").applied(InferRequest(None, {}, {}, (), binary_default=False)).id is None


@pytest.mark.parametrize(
    ("end", "parent", "sampled"),
    [
        ("00f067aa0ba902b7-01", "00f067aa0ba902b7", True),
        ("00f067aa0ba902b7-00", "00f067aa0ba902b7", False),
        ("00f067aa0ba902b7-03", "00f067aa0ba902b7", True),
        ("0000000000000000-01", "", False),
        ("00F067aa0ba902b7-01", "", False),
        ("00f067aa0ba902b7-0x", "", False),
    ],
)
def test_trace_has_the_span_of_its_caller(end: str, *, parent: str, sampled: bool) -> None:
    """And tells whether the caller samples it; without a span of the caller there is nothing to follow."""
    found = CallContext.read("", "", f"00-{TRACE_ID}-{end}")
    assert found is not None
    assert (found.trace_id, found.parent_id, found.sampled) == (TRACE_ID, parent, sampled)
