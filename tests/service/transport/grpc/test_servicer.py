"""Every call over a real connection: its answer, its status, and how it is counted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import grpc
import numpy as np
import pytest

from tests.support.serving.grpc_server import MAX_BODY_BYTES, GrpcClient, refusal, row, serving_grpc
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness, error_types
from tightrope.monitors.records import Role
from tightrope.service.api.deployments import CannotDeployError
from tightrope.service.api.week.iso_week import WeekNameError
from tightrope.service.errors import (
    CallerError,
    ConflictError,
    LimitError,
    OverloadedError,
    ServerError,
    TooLargeError,
    UnavailableError,
    UnknownModelError,
    UnsupportedEncodingError,
)
from tightrope.service.transport.grpc import messages
from tightrope.service.transport.grpc.servicer import MAX_DETAILS_LENGTH, DeadlineExceededError, status_of

T = TypeVar("T")
Code = grpc.StatusCode


@pytest.fixture
def bench(tmp_path: Path) -> GatewayHarness:
    """A gateway of one pair, m."""
    return GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "version": "7"}})


def on(bench: GatewayHarness, use: Callable[[GrpcClient], Awaitable[T]], **how: Any) -> T:  # noqa: ANN401 - see `serving_grpc`
    """Use a server of this harness, and return the result."""

    async def run() -> T:
        async with serving_grpc(bench, **how) as client:
            return await use(client)

    return asyncio.run(run())


def fails(monkeypatch: pytest.MonkeyPatch, bench: GatewayHarness, error: Exception) -> None:
    """Make every inference fail with this error."""

    def infer(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(bench.engine, "answer", infer)


def test_health_and_metadata_are_reported(bench: GatewayHarness) -> None:
    """For the server and a model, by name and by version."""

    async def use(client: GrpcClient) -> None:
        assert messages.ServerLiveResponse.FromString(await client.ask("ServerLive", b"")).live
        assert messages.ServerReadyResponse.FromString(await client.ask("ServerReady", b"")).ready
        server = messages.ServerMetadataResponse.FromString(await client.ask("ServerMetadata", b""))
        assert (server.name, list(server.extensions)) == ("tightrope", ["binary_tensor_data"])
        for version in ("", "7"):
            asked = messages.ModelMetadataRequest(name="m", version=version)
            model = messages.ModelMetadataResponse.FromString(await client.ask("ModelMetadata", asked))
            assert (model.name, list(model.versions), model.platform) == ("m", ["7"], "onnx_onnxv1")
            tensors = [(t.name, t.datatype, list(t.shape)) for t in (*model.inputs, *model.outputs)]
            assert tensors == [("input", "FP32", [-1, 2]), ("probabilities", "FP32", [-1, 2])]

    on(bench, use)


@pytest.mark.parametrize(
    ("name", "version", "ready"), [("m", "", True), ("m", "7", True), ("m", "1", False), ("n", "", False)]
)
def test_model_is_ready_if_it_is_served(bench: GatewayHarness, name: str, version: str, *, ready: bool) -> None:
    """An unknown model is not ready, which is no error."""
    raw = on(bench, lambda client: client.ask("ModelReady", messages.ModelReadyRequest(name=name, version=version)))
    assert messages.ModelReadyResponse.FromString(raw).ready is ready


def test_replica_that_does_not_know_the_modes_is_live_and_not_ready(bench: GatewayHarness) -> None:
    """As over HTTP."""

    async def use(client: GrpcClient) -> tuple[bytes, bytes]:
        return await client.ask("ServerLive", b""), await client.ask("ServerReady", b"")

    live, ready = on(bench, use, is_ready=lambda: False)
    assert messages.ServerLiveResponse.FromString(live).live
    assert not messages.ServerReadyResponse.FromString(ready).ready


@pytest.mark.parametrize("version", ["", "7"])
def test_inference_is_answered(bench: GatewayHarness, version: str) -> None:
    """With its id, its outputs and all response parameters."""
    answer = on(bench, lambda client: client.infer(row(0, 5, id="abc", model_version=version)))
    assert (answer.model_name, answer.model_version, answer.id) == ("m", "7", "abc")
    assert np.frombuffer(answer.raw_output_contents[0], "<f4") == pytest.approx([0.9933072, 0.0066929], abs=1e-6)
    result = {
        name: getattr(value, str(value.WhichOneof("parameter_choice"))) for name, value in answer.parameters.items()
    }
    assert result.pop("confidence") == pytest.approx(0.9933072, abs=1e-6)
    assert result.pop("uncertainty") == pytest.approx(0.0579669, abs=1e-6)
    digest = bench.pairs["m"].models[Role.COMPRESSED].digest
    assert result == {"served_by": "compressed", "safe_mode": False, "refused": False, "model_digest": digest}


def test_safe_mode_is_reported(bench: GatewayHarness) -> None:
    """HTTP and gRPC use one engine, which routes the requests."""
    bench.safe("m", "model")
    result = on(bench, lambda client: client.infer(row(0, 5))).parameters
    assert (result["served_by"].string_param, result["safe_mode"].bool_param) == ("baseline", True)


def test_status_depends_on_the_error() -> None:
    """Callers do not retry on the codes of their own mistakes."""
    mistakes = CallerError, CannotDeployError, LimitError, UnsupportedEncodingError
    assert {kind: status_of(kind("")) for kind in error_types(CallerError)} == {
        **dict.fromkeys(mistakes, Code.INVALID_ARGUMENT),
        **dict.fromkeys((UnknownModelError, WeekNameError), Code.NOT_FOUND),
        ConflictError: Code.FAILED_PRECONDITION,
        TooLargeError: Code.RESOURCE_EXHAUSTED,
    }
    assert {kind: status_of(kind("")) for kind in error_types(ServerError) if ".adapters." not in kind.__module__} == {
        ServerError: Code.INTERNAL,
        UnavailableError: Code.UNAVAILABLE,
        OverloadedError: Code.UNAVAILABLE,
        DeadlineExceededError: Code.DEADLINE_EXCEEDED,
    }
    assert status_of(RuntimeError()) is Code.INTERNAL


WRONG = [
    ("ModelInfer", row(0, 5, model="n"), Code.NOT_FOUND, "model 'n' is not served here; there are m"),
    ("ModelInfer", row(0, 5, model_version="1"), Code.NOT_FOUND, "model 'm' has no version '1'; it has '7'"),
    (
        "ModelInfer",
        row(0, 5, 6),
        Code.INVALID_ARGUMENT,
        "input 'input': shape is [1, 3], must be [-1, 2] (-1 is any length)",
    ),
    (
        "ModelInfer",
        b"\xff" * 9,
        Code.INVALID_ARGUMENT,
        "the request is no ModelInferRequest: 9 bytes that cannot be read",
    ),
    (
        "ModelMetadata",
        messages.ModelMetadataRequest(name="n"),
        Code.NOT_FOUND,
        "model 'n' is not served here; there are m",
    ),
    ("ModelReady", b"\xff", Code.INVALID_ARGUMENT, "the request is no ModelReadyRequest: 1 bytes that cannot be read"),
]


@pytest.mark.parametrize(("call", "message", "code", "words"), WRONG)
def test_error_has_its_status_and_one_line(
    bench: GatewayHarness, call: str, message: object, code: Code, words: str
) -> None:
    """The text is the one that HTTP has."""
    assert on(bench, lambda client: refusal(client.ask(call, message))) == (code, words)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ServerError("both models failed"), Code.INTERNAL, "both models failed"),
        (UnavailableError("nobody is there"), Code.UNAVAILABLE, "nobody is there"),
        (RuntimeError("a secret of ours"), Code.INTERNAL, "internal error; the server's log says more"),
        (CallerError("𝄞" * 9999), Code.INVALID_ARGUMENT, "𝄞" * MAX_DETAILS_LENGTH),
    ],
)
def test_error_of_the_engine_becomes_a_status(
    bench: GatewayHarness,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    code: Code,
    words: str,
) -> None:
    """An unexpected error reveals nothing; the text fits a header."""
    fails(monkeypatch, bench, error)
    with caplog.at_level(logging.ERROR):
        assert on(bench, lambda client: refusal(client.infer(row(0, 5)))) == (code, words)
    assert ("a secret of ours" in caplog.text) is isinstance(error, RuntimeError)


def test_overloaded_engine_sends_a_retry_delay(bench: GatewayHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """In milliseconds, where clients of gRPC expect it."""
    fails(monkeypatch, bench, OverloadedError("too many wait", 1.5))

    async def use(client: GrpcClient) -> object:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.infer(row(0, 5))
        assert (caught.value.code(), caught.value.details()) == (Code.UNAVAILABLE, "too many wait")
        return caught.value.trailing_metadata().get("grpc-retry-pushback-ms")

    assert on(bench, use) == "1500"


@pytest.mark.parametrize("call", ["ModelStatistics", "RepositoryIndex", "SystemSharedMemoryStatus", ""])
def test_unknown_call_is_unimplemented(bench: GatewayHarness, call: str) -> None:
    """The error lists the calls there are."""
    code, words = on(bench, lambda client: refusal(client.ask(call, b"x")))
    assert code is Code.UNIMPLEMENTED
    assert words.startswith(f"inference.GRPCInferenceService has no {call} here; there are ServerLive, ServerReady, ")


def test_unknown_service_is_unimplemented(bench: GatewayHarness) -> None:
    """The library reports it by itself."""
    code, _ = on(bench, lambda client: refusal(client.ask("/other.Service/ModelInfer", b"")))
    assert code is Code.UNIMPLEMENTED


def test_requests_are_counted_as_over_http(bench: GatewayHarness) -> None:
    """By outcome and by known model; every answer is timed."""

    async def use(client: GrpcClient) -> None:
        await client.infer(row(0, 5))
        for message in (row(0, 5, 6), row(0, 5, model="made up"), b"\xff"):
            await refusal(client.ask("ModelInfer", message))

    on(bench, use)
    assert bench.count("requests", model="m", outcome="ok") == 1
    assert bench.count("requests", model="m", outcome="caller_error") == 1
    assert bench.count("requests", model="unknown", outcome="caller_error") == 2
    timed = bench.metrics.registry.get_sample_value
    assert timed("tightrope_request_seconds_count", {"model": "m"}) == 2


def test_stream_answers_requests_in_order(bench: GatewayHarness) -> None:
    """An error takes the place of its answer, and the stream goes on; each request is counted."""
    asked = [row(0, 5, id="1"), row(0, 5, 6), b"\xff", row(0, 1, id="4")]

    async def use(client: GrpcClient) -> list[messages.ModelStreamInferResponse]:
        call = client.channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")(
            message if isinstance(message, bytes) else message.SerializeToString() for message in asked
        )
        return [messages.ModelStreamInferResponse.FromString(raw) async for raw in call]

    result = on(bench, use)
    assert [answer.infer_response.id for answer in result] == ["1", "", "", "4"]
    assert [answer.error_message for answer in result] == [
        "",
        "input 'input': shape is [1, 3], must be [-1, 2] (-1 is any length)",
        "the request is no ModelInferRequest: 1 bytes that cannot be read",
        "",
    ]
    assert bench.count("requests", model="m", outcome="ok") == 2
    assert bench.count("requests", model="m", outcome="caller_error") == 1


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_message_that_is_too_large_is_refused(bench: GatewayHarness, compression: grpc.Compression) -> None:
    """The limit is the one of HTTP, also for decompressed messages; the connection goes on."""

    async def use(client: GrpcClient) -> tuple[Code, str]:
        bomb = bytes(8 * MAX_BODY_BYTES)
        result = await refusal(client.ask("ModelInfer", bomb, compression=compression))
        assert (await client.infer(row(0, 5), compression=compression)).id
        return result

    code, words = on(bench, use)
    assert code is Code.RESOURCE_EXHAUSTED
    assert "larger than max" in words
