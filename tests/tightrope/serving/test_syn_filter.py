"""A filtered listener gets no new connection, and loses none that it has."""

import socket
import sys

import pytest

from tightrope.serving.syn_filter import drop_new_connections


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_no_connection_begins_and_those_that_wait_are_accepted(family: socket.AddressFamily, host: str) -> None:
    """A caller that comes later hears nothing, so that its kernel tries again."""
    listener = socket.create_server((host, 0), family=family)
    address = listener.getsockname()[:2]
    with listener, socket.create_connection(address) as waiting:
        assert drop_new_connections(listener)
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.2)
        waiting.send(b"hello")
        with listener.accept()[0] as accepted:
            assert accepted.recv(5) == b"hello"
            accepted.send(b"answer")
            assert waiting.recv(6) == b"answer"


def test_system_without_the_filter_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another system has other options under this number; a socket that is closed takes none."""
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "darwin")
        assert not drop_new_connections(listener)
    assert not drop_new_connections(listener)
