"""Sockets that servers listen on, in both families where the host names both."""

import socket


def open_port(host: str, port: int) -> socket.socket:
    """A listening socket. An IPv6 host takes IPv4 connections, too, where it stands for all addresses (``::``), as
    gRPC's library does and as pods on both families need it.

    Raises:
        OSError: when the port cannot be taken.
    """
    if ":" not in host:
        return socket.create_server((host, port))
    return socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=socket.has_dualstack_ipv6())
