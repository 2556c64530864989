"""A server on all addresses of both families: HTTP and gRPC over each."""

import asyncio
import socket
from pathlib import Path

import grpc.aio
import httpx
import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tests.support.servers import serving
from tests.support.serving.service_harness import OK
from tightrope.service.transport.grpc.messages import ServerLiveRequest, ServerLiveResponse
from tightrope.service.transport.grpc.servicer import SERVICE


async def is_live(target: str) -> bool:
    """Whether a gRPC server says that it is live."""
    async with grpc.aio.insecure_channel(target) as channel:
        raw: bytes = await channel.unary_unary(f"/{SERVICE}/ServerLive")(ServerLiveRequest().SerializeToString())
    return ServerLiveResponse.FromString(raw).live


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_host_of_all_addresses_serves_both_families(tmp_path: Path) -> None:
    """The addresses that it prints are those of IPv6; IPv4 has the same ports."""
    ports = {"host": "::", "port": 0, "grpc_port": 0}
    with serving(write_config(tmp_path, {**config(tmp_path), "server": ports})) as server:
        assert server.address.startswith("http://[::]:")
        for host in ("127.0.0.1", "[::1]"):
            http, rpc = server.address.replace("[::]", host), server.grpc.replace("[::]", host)
            assert httpx.get(f"{http}/v2/health/live").status_code == OK
            assert asyncio.run(is_live(rpc))
