"""The server itself: its health service, its port, and how it stops."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.serving.grpc_server import Talk, refusal, row, talking
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import Bench
from tightrope.service.config.loader import ConfigError, Server
from tightrope.service.transport.grpc.messages import ModelInferResponse
from tightrope.service.transport.grpc.server import RpcServer
from tightrope.service.transport.grpc.servicer import SERVICE, Inference

SERVING, NOT_SERVING = (health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A gateway of one pair, m."""
    return Bench(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})


async def health(talk: Talk, service: str = "") -> Any:  # noqa: ANN401 - ships no types
    """What a stock client of the health service is told."""
    stub = health_pb2_grpc.HealthStub(talk.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


async def until(talk: Talk, status: int) -> None:
    """Watch the health until it is that."""
    stub = health_pb2_grpc.HealthStub(talk.channel)
    async with asyncio.timeout(30.0):
        async for told in stub.Watch(health_pb2.HealthCheckRequest()):
            if told.status == status:
                return


def test_health_follows_readiness(bench: Bench) -> None:
    """Not serving until the modes are known, then serving: of the server and of the protocol; nothing else is known."""
    known = [False]

    async def run() -> None:
        async with talking(bench, knows=lambda: known[0]) as talk:
            await until(talk, NOT_SERVING)
            assert await health(talk, SERVICE) == NOT_SERVING
            known[0] = True
            await until(talk, SERVING)
            assert await health(talk, SERVICE) == SERVING
            code, _ = await refusal(health(talk, "made.up"))
            assert code is grpc.StatusCode.NOT_FOUND

    asyncio.run(run())


def test_port_in_use_is_a_mistake_of_the_configuration(bench: Bench) -> None:
    """Found before anything is started, in one line."""
    inference = Inference(bench.responder(), lambda: True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Server(grpc_port=taken.getsockname()[1])
        with pytest.raises(ConfigError, match=r"^server.grpc_port: cannot listen: Address already in use"):
            RpcServer(settings, inference, lambda: True)


def test_port_belongs_to_one_server_only(bench: Bench) -> None:
    """The library would let a second process listen beside the first, and calls go to either."""

    async def run() -> None:
        async with talking(bench) as talk:
            settings = Server(grpc_port=talk.port)
            with pytest.raises(ConfigError, match="cannot listen"):
                RpcServer(settings, Inference(bench.responder(), lambda: True), lambda: True)

    asyncio.run(run())


def test_port_that_is_taken_at_the_last_moment_is_a_mistake_too(bench: Bench) -> None:
    """Between the look and the start: no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = RpcServer(Server(grpc_port=port), Inference(bench.responder(), lambda: True), lambda: True)
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ConfigError, match=r"^server.grpc_port: cannot listen: "),
    ):
        asyncio.run(server.start())


def test_server_listens_on_ipv6(bench: Bench) -> None:
    """Where there is any."""
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 address")

    async def run() -> ModelInferResponse:
        server = RpcServer(
            Server(host="::1", grpc_port=0),
            Inference(bench.responder(), lambda: True),
            lambda: True,
        )
        port = await server.start()
        async with grpc.aio.insecure_channel(f"[::1]:{port}") as channel:
            answer = await Talk(server, channel, port).infer(row(0, 5, id="six"))
        await server.stop(5.0)
        return answer

    assert asyncio.run(run()).id == "six"


def test_calls_under_way_are_finished_when_it_stops(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was let in is answered; nobody else is let in, and the health service says so."""
    real, begun, leave = bench.gateway.answer, asyncio.Event(), asyncio.Event()

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def answer(*how: Any) -> Any:  # noqa: ANN401 - passed through
            loop.call_soon_threadsafe(begun.set)
            asyncio.run_coroutine_threadsafe(leave.wait(), loop).result(60.0)
            return real(*how)

        monkeypatch.setattr(bench.gateway, "answer", answer)
        async with talking(bench, slow=True) as talk:
            under_way = asyncio.create_task(talk.infer(row(0, 5, id="under way")))
            await begun.wait()
            stopping = asyncio.create_task(talk.server.stop(30.0))
            await asyncio.sleep(0.2)
            async with grpc.aio.insecure_channel(f"127.0.0.1:{talk.port}") as other:
                code, _ = await refusal(Talk(talk.server, other, talk.port).infer(row(0, 5)))
            assert code is grpc.StatusCode.UNAVAILABLE
            assert not stopping.done()
            leave.set()
            assert (await under_way).id == "under way"
            await stopping

    asyncio.run(run())
