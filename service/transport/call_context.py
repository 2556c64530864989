"""The context of a call, beside its body: who calls, its request id, and the trace that it belongs to."""

import re
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from tightrope.service.protocol.rest import InferRequest

REQUEST_ID_HEADER, TRACE_HEADER = "x-request-id", "traceparent"
"""The names of headers and of gRPC metadata."""

_REQUEST_ID = re.compile(r"[\x20-\x7e]{1,128}")
_TRACE = re.compile(r"(?:00-(\w{32})-\w{16}-\w\w|(?!00|ff)\w\w-(\w{32})-\w{16}-\w\w(?:-.*)?)", re.ASCII)
_PARENT = re.compile(r"(?!0{16})[0-9a-f]{16}")
_FLAGS = re.compile(r"[0-9a-f]{2}")
SAMPLED_FLAG = 1
_PARENT_AT, _FLAGS_AT = slice(36, 52), slice(53, 55)
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")


class CallContext(Struct, frozen=True):
    """The value of the header that names the ``caller``, where one is configured; the ``request_id`` (up to 128
    printable characters of ASCII), and the ``trace_id`` (32 hexadecimal digits of W3C Trace Context), with the caller's
    span (``parent_id``, 16 digits) and whether the caller's trace is ``sampled``. What is absent or in another form is
    empty.
    """

    caller: str = ""
    request_id: str = ""
    trace_id: str = ""
    parent_id: str = ""
    sampled: bool = False

    @classmethod
    def read(cls, caller: str, request_id: str, trace: str) -> Self | None:
        """The context in the values of the three headers; None if they have nothing.

        >>> CallContext.read("", "r-1", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").trace_id
        '4bf92f3577b34da6a3ce929d0e0e4736'
        """
        if not (caller or request_id or trace):
            return None
        trace_id = trace_id_of(trace)
        parent, flags = (trace[_PARENT_AT], trace[_FLAGS_AT]) if trace_id else ("", "")
        has_parent = _PARENT.fullmatch(parent) is not None and _FLAGS.fullmatch(flags) is not None
        found = cls(
            caller,
            request_id if _REQUEST_ID.fullmatch(request_id) else "",
            trace_id,
            parent if has_parent else "",
            has_parent and bool(int(flags, 16) & SAMPLED_FLAG),
        )
        return found if found != cls() else None

    def applied(self, request: InferRequest) -> InferRequest:
        """The request with what the context says; the id in its body wins."""
        return replace(request, id=request.id or self.request_id or None, caller=self.caller, trace_id=self.trace_id)


def trace_id_of(trace: str) -> str:
    """The id of the trace in the value of ``traceparent``; empty without one.

    >>> trace_id_of("00-00000000000000000000000000000000-00f067aa0ba902b7-01")
    ''
    """
    match = _TRACE.fullmatch(trace)
    found = (match[1] or match[2]) if match else ""
    return found if _TRACE_ID.fullmatch(found) else ""
