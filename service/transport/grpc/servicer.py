"""The calls of the Open Inference Protocol v2 over gRPC: a message in, the gateway, a message out.

Every call takes and gives bytes: what is large is read and written in a thread. An error is a status by whose fault it
is, with the same text as over HTTP.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import NoReturn, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import Message

from tightrope.service.errors import (
    CallerError,
    OverloadedError,
    ServerError,
    TooLargeError,
    UnavailableError,
    UnknownModelError,
)
from tightrope.service.inference.batch import rows_of
from tightrope.service.inference.engine import Gateway
from tightrope.service.protocol.metadata import EXTENSIONS, PLATFORM, VERSION
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.protocol.tensors import TensorSpec
from tightrope.service.transport.grpc import messages
from tightrope.service.transport.grpc.codec import SomeMessage, decode_request, encode_response, parse
from tightrope.service.transport.responder import LARGE, Responder, aside, is_large, told

SERVICE = "inference.GRPCInferenceService"
MOST_DETAILS = 500
"""Characters of an error's text: it travels in a header, and clients take no long ones."""
HASTE = 0.05
"""Seconds before its deadline at which a call that ends is a late one: the caller's clock started before ours."""

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"
Wrap: TypeAlias = Callable[[messages.ModelInferResponse], Message]


class TooLateError(ServerError):
    """The deadline of a call has passed before it was its turn: nobody waits for the answer."""


STATUS: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    (UnknownModelError, grpc.StatusCode.NOT_FOUND),
    (TooLargeError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (CallerError, grpc.StatusCode.INVALID_ARGUMENT),
    (TooLateError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (UnavailableError, grpc.StatusCode.UNAVAILABLE),
)


def status_of(error: Exception) -> grpc.StatusCode:
    """The status of an error, by whose fault it is; what nobody foresaw is ours."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


class Inference(grpc.GenericRpcHandler):
    """Finds the handler of a call; ``knows`` says whether this replica is ready."""

    def __init__(self, responder: Responder, knows: Callable[[], bool]) -> None:
        self._responder = responder
        self._handlers = {
            "ServerLive": _call(messages.ServerLiveRequest, lambda _: messages.ServerLiveResponse(live=True)),
            "ServerReady": _call(messages.ServerReadyRequest, lambda _: messages.ServerReadyResponse(ready=knows())),
            "ServerMetadata": _call(messages.ServerMetadataRequest, _server),
            "ModelReady": _call(messages.ModelReadyRequest, partial(_ready, responder.gateway)),
            "ModelMetadata": _call(messages.ModelMetadataRequest, partial(_metadata, responder.gateway)),
            "ModelInfer": grpc.unary_unary_rpc_method_handler(self._infer),
            "ModelStreamInfer": grpc.stream_stream_rpc_method_handler(self._stream),
        }

    def service(self, details: grpc.HandlerCallDetails) -> "Handler | None":
        """The handler; for a call of this service that is not there, one that says so."""
        path, _, name = details.method.lstrip("/").rpartition("/")
        if path != SERVICE:
            return None
        return self._handlers.get(name) or _unimplemented(name, self._handlers)

    async def _infer(self, raw: bytes, context: Context) -> bytes:
        try:
            return await self._counted(raw, context, lambda answer: answer)
        except Exception as error:  # noqa: BLE001 - the one place where whatever went wrong becomes a status
            return await _abort(context, error)

    async def _stream(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        """One answer a request, in their order; what is wrong with one is told in its place, and the next is read."""
        async for raw in requests:
            try:
                yield await self._counted(raw, context, _streamed)
            except Exception as error:  # noqa: BLE001 - as above
                yield messages.ModelStreamInferResponse(error_message=told(error)).SerializeToString()

    async def _counted(self, raw: bytes, context: Context, wrap: Wrap) -> bytes:
        """Answer a request, and count it; not where the caller went away, as long as it had time."""
        started, large = time.perf_counter(), len(raw) > LARGE
        message = messages.ModelInferRequest()
        try:
            message = await aside(partial(parse, messages.ModelInferRequest, raw), large=large)
            request_id, answer = await self._answer(message, context, wrap, started, large=large)
        except asyncio.CancelledError:
            if _left(context) < HASTE:
                self._responder.answered(message.model_name, TooLateError(), started)
            raise
        except Exception as error:
            self._responder.answered(message.model_name, error, started)
            raise
        self._responder.answered(message.model_name, None, started, request_id)
        return answer

    async def _answer(
        self, message: messages.ModelInferRequest, context: Context, wrap: Wrap, started: float, *, large: bool
    ) -> tuple[str, bytes]:
        """The id of a request, and the bytes of its answer; nobody waits for one that is late already."""
        pair = self._responder.gateway.pair(message.model_name, message.model_version or None)
        request = await aside(partial(decode_request, message, pair.inputs, pair.outputs), large=large)
        if _left(context) <= 0:
            raise TooLateError("the deadline passed before it was this request's turn")
        response = await self._responder.respond(pair, request, rows_of(request), started)
        write = partial(_written, response, request, wrap)
        return response.id or "", await aside(write, large=is_large(response))


def _written(response: InferResponse, request: InferRequest, wrap: Wrap) -> bytes:
    return wrap(encode_response(response, request)).SerializeToString()


def _streamed(answer: messages.ModelInferResponse) -> Message:
    return messages.ModelStreamInferResponse(infer_response=answer)


def _left(context: Context) -> float:
    """Seconds until the deadline, if there is one."""
    left = context.time_remaining()
    return float("inf") if left is None else left  # type: ignore[redundant-expr] # there is None, whatever is declared


async def _abort(context: Context, error: Exception) -> NoReturn:
    """Tell what is wrong; who comes too many is told when to come again, as clients of gRPC read it."""
    again = f"{1000 * error.seconds:.0f}" if isinstance(error, OverloadedError) else ""
    trailing = (("grpc-retry-pushback-ms", again),) if again else ()
    await context.abort(status_of(error), told(error)[:MOST_DETAILS], trailing)


def _call(kind: type[SomeMessage], answer: Callable[[SomeMessage], Message]) -> Handler:
    """The handler of a call that is answered at once."""

    async def handle(raw: bytes, context: Context) -> bytes:
        try:
            return answer(parse(kind, raw)).SerializeToString()
        except Exception as error:  # noqa: BLE001 - as above
            return await _abort(context, error)

    return grpc.unary_unary_rpc_method_handler(handle)


def _unimplemented(name: str, known: Iterable[str]) -> Handler:
    details = f"{SERVICE} has no {name[:80]} here; there are {', '.join(known)}"

    async def handle(_: AsyncIterator[bytes], context: Context) -> bytes:
        return await context.abort(grpc.StatusCode.UNIMPLEMENTED, details)

    return grpc.stream_unary_rpc_method_handler(handle)


def _server(_: messages.ServerMetadataRequest) -> messages.ServerMetadataResponse:
    return messages.ServerMetadataResponse(name="tightrope", version=VERSION, extensions=EXTENSIONS)


def _ready(gateway: Gateway, asked: messages.ModelReadyRequest) -> messages.ModelReadyResponse:
    """Whether a model can answer: one that is not served is not ready, which is no error here."""
    try:
        gateway.pair(asked.name, asked.version or None)
    except UnknownModelError:
        return messages.ModelReadyResponse(ready=False)
    return messages.ModelReadyResponse(ready=True)


def _metadata(gateway: Gateway, asked: messages.ModelMetadataRequest) -> messages.ModelMetadataResponse:
    pair = gateway.pair(asked.name, asked.version or None)
    return messages.ModelMetadataResponse(
        name=pair.name,
        versions=[pair.version],
        platform=PLATFORM,
        inputs=map(_tensor, pair.inputs),
        outputs=map(_tensor, pair.outputs),
    )


def _tensor(spec: TensorSpec) -> messages.ModelMetadataResponse.TensorMetadata:
    return messages.ModelMetadataResponse.TensorMetadata(name=spec.name, datatype=spec.datatype, shape=spec.shape)
