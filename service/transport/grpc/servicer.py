"""The calls of the Open Inference Protocol v2 over gRPC: a message in, the engine, a message out.

Every call takes and gives bytes, so that large messages are parsed and serialised in a thread. An error becomes the
status of its kind, with the same text as over HTTP.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import NoReturn, TypeAlias, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from tightrope.service.errors import (
    CallerError,
    ConflictError,
    OverloadedError,
    ServerError,
    TooLargeError,
    UnavailableError,
    UnknownModelError,
)
from tightrope.service.inference.engine import LARGE_BYTES, InferenceEngine, is_large
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.metadata import EXTENSIONS, PLATFORM, SERVER_VERSION
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.protocol.tensors import TensorSpec, require_finite
from tightrope.service.transport.admission import Admission, Reservation, bytes_of
from tightrope.service.transport.call_context import REQUEST_ID_HEADER, TRACE_HEADER, CallContext
from tightrope.service.transport.grpc import messages
from tightrope.service.transport.grpc.codec import AnyMessage, decode_request, encode_response, parse
from tightrope.service.transport.responder import Responder, error_text

SERVICE = "inference.GRPCInferenceService"
MAX_DETAILS_LENGTH = 500
"""Characters of an error's text: it travels in a header, and clients take no long ones."""
DEADLINE_MARGIN_SECONDS = 0.05
"""Seconds before its deadline from which a cancelled call counts as late: the caller's clock started before ours."""

Result = TypeVar("Result")
Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"
Wrap: TypeAlias = Callable[[messages.ModelInferResponse], Message]


class DeadlineExceededError(ServerError):
    """The deadline of a call passed before its run: the caller no longer waits."""


GRPC_STATUS: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    (UnknownModelError, grpc.StatusCode.NOT_FOUND),
    (ConflictError, grpc.StatusCode.FAILED_PRECONDITION),
    (TooLargeError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (CallerError, grpc.StatusCode.INVALID_ARGUMENT),
    (DeadlineExceededError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (UnavailableError, grpc.StatusCode.UNAVAILABLE),
)
"""The status of each kind of error; the first match counts."""


def status_of(error: Exception) -> grpc.StatusCode:
    """The gRPC status of an error; INTERNAL for an unexpected one."""
    return next((status for kind, status in GRPC_STATUS if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


class InferenceServicer(grpc.GenericRpcHandler):
    """The handlers of the service's calls; ``is_ready`` tells whether this replica is ready."""

    def __init__(self, responder: Responder, is_ready: Callable[[], bool], admission: Admission) -> None:
        self._responder = responder
        self._admission = admission
        self._is_ready = is_ready
        self._released: asyncio.Event | None = None
        self._handlers = {
            "ServerLive": _unary(messages.ServerLiveRequest, _server_live),
            "ServerReady": _unary(messages.ServerReadyRequest, self._server_ready),
            "ServerMetadata": _unary(messages.ServerMetadataRequest, _server_metadata),
            "ModelReady": _unary(messages.ModelReadyRequest, partial(_model_ready, responder.engine)),
            "ModelMetadata": _unary(messages.ModelMetadataRequest, partial(_model_metadata, responder.engine)),
            "ModelInfer": grpc.unary_unary_rpc_method_handler(self._infer),
            "ModelStreamInfer": grpc.stream_stream_rpc_method_handler(self._stream),
        }

    def service(self, details: grpc.HandlerCallDetails) -> "Handler | None":
        """The handler of a call; for an unknown call of this service, one that reports it."""
        path, _, name = details.method.lstrip("/").rpartition("/")
        if path != SERVICE:
            return None
        return self._handlers.get(name) or _unimplemented(name, self._handlers)

    def hold_answers(self) -> None:
        """Hold the answers to single requests from now on; ``held_at`` is when the last one was (`time.monotonic`)."""
        self._released, self.held_at = asyncio.Event(), time.monotonic()

    def release_answers(self) -> None:
        """Send the answers that are held."""
        if self._released is not None:
            self._released.set()

    def _server_ready(self, _: messages.ServerReadyRequest) -> messages.ServerReadyResponse:
        return messages.ServerReadyResponse(ready=self._is_ready())

    async def _infer(self, raw: bytes, context: Context) -> bytes:
        failure: Exception | None = None
        try:
            answer = await self._answer(raw, context, _unwrapped)
        except Exception as error:  # noqa: BLE001 - every error becomes a status
            failure = error
        if self._released is not None:
            self.held_at = time.monotonic()
            await self._released.wait()
        return answer if failure is None else await _abort(context, failure)

    async def _stream(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        """One answer a request, in their order; an error is sent in its place, and the stream goes on."""
        async for raw in requests:
            try:
                yield await self._answer(raw, context, _stream_response)
            except Exception as error:  # noqa: BLE001 - every error becomes a message
                yield messages.ModelStreamInferResponse(error_message=error_text(error)).SerializeToString()

    async def _answer(self, raw: bytes, context: Context, wrap: Wrap) -> bytes:
        """Answer a request and count it; one that is cancelled counts only if its deadline has come."""
        started, large = time.perf_counter(), len(raw) > LARGE_BYTES
        own = _call_context(context, None) if self._responder.spans else None
        message, held = messages.ModelInferRequest(), Reservation(self._admission)
        try:
            if large:
                held.hold(len(raw))
            message = await self._run(partial(parse, messages.ModelInferRequest, raw), in_thread=large)
            request_id, answer = await self._infer_message(message, context, wrap, started, held, large=large)
        except asyncio.CancelledError:
            if _remaining_seconds(context) < DEADLINE_MARGIN_SECONDS:
                self._responder.count(message.model_name, DeadlineExceededError(), started)
            raise
        except Exception as error:
            self._responder.count(message.model_name, error, started, context=own)
            raise
        finally:
            held.hold(0)
        self._responder.count(message.model_name, None, started, request_id, own)
        return answer

    async def _infer_message(
        self,
        message: messages.ModelInferRequest,
        context: Context,
        wrap: Wrap,
        started: float,
        held: Reservation,
        *,
        large: bool,
    ) -> tuple[str, bytes]:
        """The request's id and its serialised response."""
        pair = self._responder.engine.pair(message.model_name, message.model_version or None)
        request = await self._run(partial(_decode, pair, message), in_thread=large)
        if large or self._admission.small_bytes < LARGE_BYTES or pair.has_free_width:
            self._admission.check_size(request)
            held.hold(bytes_of(request.inputs))
        if (own := _call_context(context, pair.caller_header)) is not None:
            request = own.applied(request)
            if own.request_id:
                context.set_trailing_metadata(((REQUEST_ID_HEADER, own.request_id),))
        if _remaining_seconds(context) <= 0:
            raise DeadlineExceededError("the deadline passed before it was this request's turn")
        response = await self._responder.respond(pair, request, started)
        serialise = partial(_serialise, response, request, wrap)
        return response.id or "", await self._run(serialise, in_thread=is_large(response))

    async def _run(self, function: Callable[[], Result], *, in_thread: bool) -> Result:
        """Decode or encode, in one of the few threads for it where the message is large."""
        if not in_thread:
            return function()
        async with self._admission.decoding:
            return await asyncio.to_thread(function)


def _decode(pair: ModelPair, message: messages.ModelInferRequest) -> InferRequest:
    request = decode_request(message, pair.declared_inputs, pair.outputs)
    if not pair.allow_nan:
        require_finite(request.inputs)
    return request if pair.layout is None else pair.rows_first(request)


def _serialise(response: InferResponse, request: InferRequest, wrap: Wrap) -> bytes:
    return wrap(encode_response(response, request)).SerializeToString()


def _unwrapped(response: messages.ModelInferResponse) -> Message:
    return response


def _stream_response(response: messages.ModelInferResponse) -> Message:
    return messages.ModelStreamInferResponse(infer_response=response)


def _remaining_seconds(context: Context) -> float:
    """Seconds until the deadline; infinite without one."""
    seconds = context.time_remaining()
    return float("inf") if seconds is None else seconds  # type: ignore[redundant-expr] # None despite its annotation


def _call_context(context: Context, caller_header: bytes | None) -> CallContext | None:
    """The context of a call in its metadata, if they have any."""
    names = (caller_header.decode() if caller_header else "", REQUEST_ID_HEADER, TRACE_HEADER)
    given = dict.fromkeys(names, "")
    for key, value in context.invocation_metadata() or ():
        if given.get(key) == "":
            given[key] = value.decode("latin-1") if isinstance(value, bytes) else value
    return CallContext.read(*(given[name] for name in names))


async def _abort(context: Context, error: Exception) -> NoReturn:
    """Abort with the error's status; when overloaded, send the retry delay as gRPC pushback."""
    delay = f"{1000 * error.seconds:.0f}" if isinstance(error, OverloadedError) else ""
    trailing = (("grpc-retry-pushback-ms", delay),) if delay else ()
    await context.abort(status_of(error), error_text(error)[:MAX_DETAILS_LENGTH], trailing)


def _unary(kind: type[AnyMessage], answer: Callable[[AnyMessage], Message]) -> Handler:
    """The handler of a call that is answered at once."""

    async def handle(raw: bytes, context: Context) -> bytes:
        try:
            return answer(parse(kind, raw)).SerializeToString()
        except Exception as error:  # noqa: BLE001 - every error becomes a status
            return await _abort(context, error)

    return grpc.unary_unary_rpc_method_handler(handle)


def _unimplemented(name: str, calls: Iterable[str]) -> Handler:
    details = f"{SERVICE} has no {name[:80]} here; there are {', '.join(calls)}"

    async def handle(_: AsyncIterator[bytes], context: Context) -> bytes:
        return await context.abort(grpc.StatusCode.UNIMPLEMENTED, details)

    return grpc.stream_unary_rpc_method_handler(handle)


def _server_live(_: messages.ServerLiveRequest) -> messages.ServerLiveResponse:
    return messages.ServerLiveResponse(live=True)


def _server_metadata(_: messages.ServerMetadataRequest) -> messages.ServerMetadataResponse:
    return messages.ServerMetadataResponse(name="tightrope", version=SERVER_VERSION, extensions=EXTENSIONS)


def _model_ready(engine: InferenceEngine, request: messages.ModelReadyRequest) -> messages.ModelReadyResponse:
    """Whether a model is served; an unknown one is not ready, which is no error here."""
    return messages.ModelReadyResponse(ready=engine.is_served(request.name, request.version or None))


def _model_metadata(engine: InferenceEngine, request: messages.ModelMetadataRequest) -> messages.ModelMetadataResponse:
    pair = engine.pair(request.name, request.version or None)
    return messages.ModelMetadataResponse(
        name=pair.name,
        versions=[pair.version],
        platform=PLATFORM,
        inputs=map(_tensor_metadata, pair.declared_inputs),
        outputs=map(_tensor_metadata, pair.declared_outputs),
    )


def _tensor_metadata(spec: TensorSpec) -> messages.ModelMetadataResponse.TensorMetadata:
    return messages.ModelMetadataResponse.TensorMetadata(name=spec.name, datatype=spec.datatype, shape=spec.shape)
