"""Every call over a real connection: what is answered, by which status what is wrong is told, what is counted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import grpc
import numpy as np
import pytest

from tests.support.serving.grpc_server import MOST, Talk, refusal, row, talking
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import Bench, kinds
from tightrope.monitors.records import Role
from tightrope.service.api.deployments import CannotDeployError
from tightrope.service.errors import (
    CallerError,
    OverloadedError,
    ServerError,
    TooLargeError,
    UnavailableError,
    UnknownModelError,
    UnsupportedEncodingError,
)
from tightrope.service.transport.grpc import messages
from tightrope.service.transport.grpc.servicer import MOST_DETAILS, TooLateError, status_of

T = TypeVar("T")
Code = grpc.StatusCode


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A gateway of one pair, m."""
    return Bench(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "version": "7"}})


def on(bench: Bench, use: Callable[[Talk], Awaitable[T]], **how: Any) -> T:  # noqa: ANN401 - see `talking`
    """What comes of talking to a server of this bench."""

    async def run() -> T:
        async with talking(bench, **how) as talk:
            return await use(talk)

    return asyncio.run(run())


def fails(monkeypatch: pytest.MonkeyPatch, bench: Bench, error: Exception) -> None:
    """Let every inference fail so."""

    def infer(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(bench.gateway, "answer", infer)


def test_health_and_metadata_are_told(bench: Bench) -> None:
    """Of the server and of a model, by name and by version."""

    async def use(talk: Talk) -> None:
        assert messages.ServerLiveResponse.FromString(await talk.ask("ServerLive", b"")).live
        assert messages.ServerReadyResponse.FromString(await talk.ask("ServerReady", b"")).ready
        server = messages.ServerMetadataResponse.FromString(await talk.ask("ServerMetadata", b""))
        assert (server.name, list(server.extensions)) == ("tightrope", ["binary_tensor_data"])
        for version in ("", "7"):
            asked = messages.ModelMetadataRequest(name="m", version=version)
            model = messages.ModelMetadataResponse.FromString(await talk.ask("ModelMetadata", asked))
            assert (model.name, list(model.versions), model.platform) == ("m", ["7"], "onnx_onnxv1")
            tensors = [(t.name, t.datatype, list(t.shape)) for t in (*model.inputs, *model.outputs)]
            assert tensors == [("input", "FP32", [-1, 2]), ("probabilities", "FP32", [-1, 2])]

    on(bench, use)


@pytest.mark.parametrize(
    ("name", "version", "ready"), [("m", "", True), ("m", "7", True), ("m", "1", False), ("n", "", False)]
)
def test_model_is_ready_if_it_is_served(bench: Bench, name: str, version: str, *, ready: bool) -> None:
    """One that is not there is not ready: that is an answer, no error."""
    raw = on(bench, lambda talk: talk.ask("ModelReady", messages.ModelReadyRequest(name=name, version=version)))
    assert messages.ModelReadyResponse.FromString(raw).ready is ready


def test_replica_that_does_not_know_the_modes_is_live_and_not_ready(bench: Bench) -> None:
    """As over HTTP."""

    async def use(talk: Talk) -> tuple[bytes, bytes]:
        return await talk.ask("ServerLive", b""), await talk.ask("ServerReady", b"")

    live, ready = on(bench, use, knows=lambda: False)
    assert messages.ServerLiveResponse.FromString(live).live
    assert not messages.ServerReadyResponse.FromString(ready).ready


@pytest.mark.parametrize("version", ["", "7"])
def test_inference_is_answered(bench: Bench, version: str) -> None:
    """With its id, its outputs and all that the gateway has to say of them."""
    answer = on(bench, lambda talk: talk.infer(row(0, 5, id="abc", model_version=version)))
    assert (answer.model_name, answer.model_version, answer.id) == ("m", "7", "abc")
    assert np.frombuffer(answer.raw_output_contents[0], "<f4") == pytest.approx([0.9933072, 0.0066929], abs=1e-6)
    told = {
        name: getattr(value, str(value.WhichOneof("parameter_choice"))) for name, value in answer.parameters.items()
    }
    assert told.pop("confidence") == pytest.approx(0.9933072, abs=1e-6)
    assert told.pop("uncertainty") == pytest.approx(0.0579669, abs=1e-6)
    digest = bench.pairs["m"].models[Role.COMPRESSED].digest
    assert told == {"served_by": "compressed", "safe_mode": False, "refused": False, "model_digest": digest}


def test_safe_mode_is_told(bench: Bench) -> None:
    """Who answers is decided by the same gateway as over HTTP."""
    bench.safe("m", "model")
    told = on(bench, lambda talk: talk.infer(row(0, 5))).parameters
    assert (told["served_by"].string_param, told["safe_mode"].bool_param) == ("baseline", True)


def test_status_tells_whose_fault_it_is() -> None:
    """The codes that callers retry on are not those of their own mistakes."""
    assert {kind: status_of(kind("")) for kind in kinds(CallerError)} == {
        CallerError: Code.INVALID_ARGUMENT,
        CannotDeployError: Code.INVALID_ARGUMENT,
        UnknownModelError: Code.NOT_FOUND,
        TooLargeError: Code.RESOURCE_EXHAUSTED,
        UnsupportedEncodingError: Code.INVALID_ARGUMENT,
    }
    assert {kind: status_of(kind("")) for kind in kinds(ServerError)} == {
        ServerError: Code.INTERNAL,
        UnavailableError: Code.UNAVAILABLE,
        OverloadedError: Code.UNAVAILABLE,
        TooLateError: Code.DEADLINE_EXCEEDED,
    }
    assert status_of(RuntimeError()) is Code.INTERNAL


WRONG = [
    ("ModelInfer", row(0, 5, model="n"), Code.NOT_FOUND, "model 'n' is not served here; there are m"),
    ("ModelInfer", row(0, 5, model_version="1"), Code.NOT_FOUND, "model 'm' has no version '1'; it has '7'"),
    ("ModelInfer", row(0, 5, 6), Code.INVALID_ARGUMENT, "input 'input': shape is [1, 3], must be [-1, 2] (-1 is free)"),
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
def test_mistake_is_told_in_one_line(bench: Bench, call: str, message: Any, code: Code, words: str) -> None:  # noqa: ANN401
    """With the code of its kind, in the words that HTTP has for it."""
    assert on(bench, lambda talk: refusal(talk.ask(call, message))) == (code, words)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ServerError("both models failed"), Code.INTERNAL, "both models failed"),
        (UnavailableError("nobody is there"), Code.UNAVAILABLE, "nobody is there"),
        (RuntimeError("a secret of ours"), Code.INTERNAL, "internal error; the server's log says more"),
        (CallerError("𝄞" * 9999), Code.INVALID_ARGUMENT, "𝄞" * MOST_DETAILS),
    ],
)
def test_what_the_gateway_raises_is_told(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    code: Code,
    words: str,
) -> None:
    """Nothing of how we are made, and no more than a header takes."""
    fails(monkeypatch, bench, error)
    with caplog.at_level(logging.ERROR):
        assert on(bench, lambda talk: refusal(talk.infer(row(0, 5)))) == (code, words)
    assert ("a secret of ours" in caplog.text) is isinstance(error, RuntimeError)


def test_caller_that_comes_too_many_is_told_when_to_come_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """In milliseconds, where clients of gRPC look for it."""
    fails(monkeypatch, bench, OverloadedError("too many wait", 1.5))

    async def use(talk: Talk) -> object:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await talk.infer(row(0, 5))
        assert (caught.value.code(), caught.value.details()) == (Code.UNAVAILABLE, "too many wait")
        return caught.value.trailing_metadata().get("grpc-retry-pushback-ms")

    assert on(bench, use) == "1500"


@pytest.mark.parametrize("call", ["ModelStatistics", "RepositoryIndex", "SystemSharedMemoryStatus", ""])
def test_call_that_is_not_there_says_so(bench: Bench, call: str) -> None:
    """And which there are."""
    code, words = on(bench, lambda talk: refusal(talk.ask(call, b"x")))
    assert code is Code.UNIMPLEMENTED
    assert words.startswith(f"inference.GRPCInferenceService has no {call} here; there are ServerLive, ServerReady, ")


def test_other_services_are_not_there(bench: Bench) -> None:
    """The library says so itself."""
    code, _ = on(bench, lambda talk: refusal(talk.ask("/other.Service/ModelInfer", b"")))
    assert code is Code.UNIMPLEMENTED


def test_requests_are_counted_as_over_http(bench: Bench) -> None:
    """By outcome, and by the models that there are; every answer is timed."""

    async def use(talk: Talk) -> None:
        await talk.infer(row(0, 5))
        for message in (row(0, 5, 6), row(0, 5, model="made up"), b"\xff"):
            await refusal(talk.ask("ModelInfer", message))

    on(bench, use)
    assert bench.count("requests", model="m", outcome="ok") == 1
    assert bench.count("requests", model="m", outcome="caller_error") == 1
    assert bench.count("requests", model="unknown", outcome="caller_error") == 2
    timed = bench.metrics.registry.get_sample_value
    assert timed("tightrope_request_seconds_count", {"model": "m"}) == 2


def test_stream_answers_every_request_in_its_place(bench: Bench) -> None:
    """What is wrong with one is told where its answer would be, and the next is answered; each is counted."""
    asked = [row(0, 5, id="1"), row(0, 5, 6), b"\xff", row(0, 1, id="4")]

    async def use(talk: Talk) -> list[messages.ModelStreamInferResponse]:
        call = talk.channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")(
            message if isinstance(message, bytes) else message.SerializeToString() for message in asked
        )
        return [messages.ModelStreamInferResponse.FromString(raw) async for raw in call]

    told = on(bench, use)
    assert [answer.infer_response.id for answer in told] == ["1", "", "", "4"]
    assert [answer.error_message for answer in told] == [
        "",
        "input 'input': shape is [1, 3], must be [-1, 2] (-1 is free)",
        "the request is no ModelInferRequest: 1 bytes that cannot be read",
        "",
    ]
    assert bench.count("requests", model="m", outcome="ok") == 2
    assert bench.count("requests", model="m", outcome="caller_error") == 1


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_message_that_is_too_large_is_refused(bench: Bench, compression: grpc.Compression) -> None:
    """By the limit that HTTP has, and by its size when it is unpacked; the connection goes on."""

    async def use(talk: Talk) -> tuple[Code, str]:
        bomb = bytes(8 * MOST)
        told = await refusal(talk.ask("ModelInfer", bomb, compression=compression))
        assert (await talk.infer(row(0, 5), compression=compression)).id
        return told

    code, words = on(bench, use)
    assert code is Code.RESOURCE_EXHAUSTED
    assert "larger than max" in words
