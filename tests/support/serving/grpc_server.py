"""A gRPC server in this process, on a free port, and a client."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import numpy as np

from tests.support.serving.service_harness import GatewayHarness
from tightrope.service.config.process.limits import LimitsSection
from tightrope.service.config.process.server import ServerSection
from tightrope.service.inference.autotune import SHORT_SECONDS, RunProfile
from tightrope.service.inference.engine import LARGE_BYTES
from tightrope.service.transport.admission import Admission
from tightrope.service.transport.grpc.messages import ModelInferRequest, ModelInferResponse
from tightrope.service.transport.grpc.server import GrpcServer
from tightrope.service.transport.grpc.servicer import SERVICE, InferenceServicer

MAX_BODY_BYTES = 4 * LARGE_BYTES


@dataclass
class GrpcClient:
    """A server and a channel to it."""

    server: GrpcServer
    channel: grpc.aio.Channel
    port: int

    async def ask(self, call: str, message: Any, **how: Any) -> bytes:  # noqa: ANN401 - any message, or bytes
        """Call a method, and return the bytes of its answer. Raises AioRpcError when the call fails."""
        raw = message if isinstance(message, bytes) else message.SerializeToString()
        path = call if call.startswith("/") else f"/{SERVICE}/{call}"
        answer: bytes = await self.channel.unary_unary(path)(raw, **how)
        return answer

    async def infer(self, message: Any, **how: Any) -> ModelInferResponse:  # noqa: ANN401 - as above
        """Call ModelInfer."""
        return ModelInferResponse.FromString(await self.ask("ModelInfer", message, **how))


@asynccontextmanager
async def serving_grpc(
    bench: GatewayHarness,
    *,
    slow: bool = False,
    is_ready: Callable[[], bool] = lambda: True,
    limits: LimitsSection = LimitsSection(),  # noqa: B008 - it is frozen
) -> AsyncIterator[GrpcClient]:
    """Serve the harness's pairs until the block ends."""
    responder = bench.responder(RunProfile(measured={1: 2 * SHORT_SECONDS if slow else SHORT_SECONDS / 100}))
    section = ServerSection(grpc_port=0, max_body_bytes=MAX_BODY_BYTES, limits=limits)
    server = GrpcServer(section, InferenceServicer(responder, is_ready, Admission(section)), is_ready)
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield GrpcClient(server, channel, port)
    await server.stop(5.0)


def row(*values: float, model: str = "m", **fields: Any) -> ModelInferRequest:  # noqa: ANN401 - of the message
    """A request of one row."""
    message = ModelInferRequest(model_name=model, raw_input_contents=[np.array(values, "<f4").tobytes()], **fields)
    message.inputs.add(name="input", datatype="FP32", shape=[1, len(values)])
    return message


async def refusal(call: Any) -> tuple[grpc.StatusCode, str]:  # noqa: ANN401 - anything to wait for
    """The status and details of a call that fails."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    except asyncio.CancelledError:
        return grpc.StatusCode.CANCELLED, ""
    raise AssertionError("it was answered")
