"""Listening sockets: both families where the host means all addresses, and a port that is taken in either."""

import errno
import socket

import pytest

from tightrope.service.transport.listening import open_port

needs_both = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")


@needs_both
def test_host_of_all_addresses_takes_both_families() -> None:
    """A pod on a dual-stack network is reached over either."""
    with open_port("::", 0) as listener:
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port), timeout=5.0).close()


@needs_both
def test_port_that_is_taken_in_the_other_family_is_taken() -> None:
    """It would be answered by another server over IPv4."""
    with socket.create_server(("0.0.0.0", 0)) as other, pytest.raises(OSError, match="in use") as caught:  # noqa: S104
        open_port("::", other.getsockname()[1]).close()
    assert caught.value.errno == errno.EADDRINUSE


@needs_both
def test_ipv6_address_is_of_its_own_family() -> None:
    """Loopback of IPv6 is not that of IPv4."""
    with open_port("::1", 0) as listener, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", listener.getsockname()[1]), timeout=5.0)


def test_ipv4_host_takes_ipv4() -> None:
    """As before."""
    with open_port("127.0.0.1", 0) as listener:
        assert listener.family == socket.AF_INET
        socket.create_connection(listener.getsockname(), timeout=5.0).close()
