"""Admission control: connections of each peer, bytes that requests hold, and sizes of requests."""

import numpy as np
import pytest

from tests.support.serving.asgi_harness import admission
from tightrope.service.errors import OverloadedError, TooLargeError
from tightrope.service.protocol.rest import InferRequest
from tightrope.service.transport.admission import STRING_BYTES, Reservation, bytes_of

MB = 1 << 20


def test_half_of_the_connections_are_a_peers_by_default() -> None:
    """Further ones are refused, with the status and the key; another peer gets the rest."""
    held = admission(connections=4)
    assert [held.open_connection("a") for _ in range(2)] == [None, None]
    refusal = held.open_connection("a")
    assert refusal is not None
    assert (refusal.status, refusal.reason) == (429, "connections_per_peer")
    assert "server.limits.connections_per_peer" in str(refusal)
    assert [held.open_connection("b") for _ in range(2)] == [None, None]
    refusal = held.open_connection("c")
    assert refusal is not None
    assert (refusal.status, refusal.reason) == (503, "connections")
    assert "(server.limits.connections)" in str(refusal)
    held.close_connection("a")
    assert held.open_connection("c") is None
    assert held.connections == 4


def test_bytes_are_held_and_given_back() -> None:
    """More than all may hold is the caller's error; more than there is room for is not."""
    held = admission(bytes_in_flight=MB)
    with Reservation(held) as first, Reservation(held) as second:
        first.hold(MB // 2)
        first.hold(MB // 2 + 1)
        with pytest.raises(OverloadedError, match=r"server\.limits\.bytes_in_flight"):
            second.hold(MB // 2)
        with pytest.raises(TooLargeError, match=r"server\.limits\.bytes_in_flight"):
            second.hold(MB + 1)
        assert held.bytes_in_flight == MB // 2 + 1
        first.hold(1)
        second.hold(MB // 2)
    assert held.bytes_in_flight == 0


def test_refused_connections_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """A flood of them fills no log."""
    held = admission()
    for now in (0.0, 1.0, 59.0, 61.0, 62.0):
        held.log_refusal("too many", now)
    assert caplog.messages == ["connections are refused: too many"] * 2


def request(**inputs: object) -> InferRequest:
    """A request with these inputs."""
    return InferRequest(None, {}, inputs, (), binary_default=False)  # type: ignore[arg-type] # arrays


def test_size_counts_all_inputs() -> None:
    """Rows once, elements together."""
    held = admission(rows=10, elements=30)
    held.check_size(request(a=np.zeros((10, 2)), b=np.zeros(10)))
    with pytest.raises(TooLargeError, match=r"11 rows, the most are 10 \(server\.limits\.rows\)"):
        held.check_size(request(a=np.zeros(11)))
    with pytest.raises(TooLargeError, match=r"40 elements, the most are 30 \(server\.limits\.elements\)"):
        held.check_size(request(a=np.zeros((10, 2)), b=np.zeros((10, 2))))


def test_strings_count_as_objects() -> None:
    """An array holds pointers only."""
    assert bytes_of({"a": np.zeros(4, "<f4"), "b": np.array(["x", ""], object)}) == 16 + 2 * STRING_BYTES
