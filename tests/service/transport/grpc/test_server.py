"""The gRPC server: its health service, its port, and how it stops."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.serving.asgi_harness import admission
from tests.support.serving.grpc_server import GrpcClient, refusal, row, serving_grpc
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness
from tightrope.service.config.loader import ConfigError
from tightrope.service.config.process.server import ServerSection
from tightrope.service.transport.grpc import server as grpc_server
from tightrope.service.transport.grpc.messages import ModelInferResponse
from tightrope.service.transport.grpc.server import GrpcServer
from tightrope.service.transport.grpc.servicer import SERVICE, InferenceServicer

SERVING, NOT_SERVING = (health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING)


@pytest.fixture
def bench(tmp_path: Path) -> GatewayHarness:
    """A gateway of one pair, m."""
    return GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})


async def health(client: GrpcClient, service: str = "") -> Any:  # noqa: ANN401 - ships no types
    """The status that a stock client of the health service gets."""
    stub = health_pb2_grpc.HealthStub(client.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


async def until(client: GrpcClient, status: int) -> None:
    """Watch the health until it has this status."""
    stub = health_pb2_grpc.HealthStub(client.channel)
    async with asyncio.timeout(30.0):
        async for result in stub.Watch(health_pb2.HealthCheckRequest()):
            if result.status == status:
                return


def test_health_follows_readiness(bench: GatewayHarness) -> None:
    """Not serving until the modes are known, then serving: the server and the protocol; other services are unknown."""
    known = [False]

    async def run() -> None:
        async with serving_grpc(bench, is_ready=lambda: known[0]) as client:
            await until(client, NOT_SERVING)
            assert await health(client, SERVICE) == NOT_SERVING
            known[0] = True
            await until(client, SERVING)
            assert await health(client, SERVICE) == SERVING
            code, _ = await refusal(health(client, "made.up"))
            assert code is grpc.StatusCode.NOT_FOUND

    asyncio.run(run())


def test_port_in_use_is_a_configuration_error(bench: GatewayHarness) -> None:
    """It is found before anything is started, in one line."""
    inference = InferenceServicer(bench.responder(), lambda: True, admission())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ServerSection(grpc_port=taken.getsockname()[1])
        with pytest.raises(ConfigError, match=r"^server.grpc_port: cannot listen: Address already in use"):
            GrpcServer(settings, inference, lambda: True)


def test_port_is_not_shared(bench: GatewayHarness) -> None:
    """The library would let a second process listen beside the first, and divide the calls between them."""

    async def run() -> None:
        async with serving_grpc(bench) as client:
            settings = ServerSection(grpc_port=client.port)
            with pytest.raises(ConfigError, match="cannot listen"):
                GrpcServer(settings, InferenceServicer(bench.responder(), lambda: True, admission()), lambda: True)

    asyncio.run(run())


def test_port_taken_before_the_start_is_a_configuration_error(bench: GatewayHarness) -> None:
    """Between the check and the start: no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = GrpcServer(
        ServerSection(grpc_port=port), InferenceServicer(bench.responder(), lambda: True, admission()), lambda: True
    )
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ConfigError, match=r"^server.grpc_port: cannot listen: "),
    ):
        asyncio.run(server.start())


def test_server_listens_on_ipv6(bench: GatewayHarness) -> None:
    """Where the machine has it."""
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 address")

    async def run() -> ModelInferResponse:
        server = GrpcServer(
            ServerSection(host="::1", grpc_port=0),
            InferenceServicer(bench.responder(), lambda: True, admission()),
            lambda: True,
        )
        port = await server.start()
        async with grpc.aio.insecure_channel(f"[::1]:{port}") as channel:
            answer = await GrpcClient(server, channel, port).infer(row(0, 5, id="six"))
        await server.stop(5.0)
        return answer

    assert asyncio.run(run()).id == "six"


def test_calls_under_way_are_finished_when_it_stops(bench: GatewayHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """New calls are refused, and the health service reports it."""
    real, begun, leave = bench.engine.answer, asyncio.Event(), asyncio.Event()

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def answer(*how: Any) -> Any:  # noqa: ANN401 - passed through
            loop.call_soon_threadsafe(begun.set)
            asyncio.run_coroutine_threadsafe(leave.wait(), loop).result(60.0)
            return real(*how)

        monkeypatch.setattr(bench.engine, "answer", answer)
        monkeypatch.setattr(grpc_server, "MAX_HOLD_SECONDS", 0.1)
        async with serving_grpc(bench, slow=True) as client:
            under_way = asyncio.create_task(client.infer(row(0, 5, id="under way")))
            await begun.wait()
            stopping = asyncio.create_task(client.server.stop(30.0))
            await asyncio.sleep(1.0)
            async with grpc.aio.insecure_channel(f"127.0.0.1:{client.port}") as other:
                code, _ = await refusal(GrpcClient(client.server, other, client.port).infer(row(0, 5)))
            assert code is grpc.StatusCode.UNAVAILABLE
            assert not stopping.done()
            leave.set()
            assert (await under_way).id == "under way"
            await stopping

    asyncio.run(run())
