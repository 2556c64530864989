"""The caller of a gRPC request, its id and its trace are named by its metadata."""

import asyncio
from pathlib import Path

from tests.support.serving.grpc_server import row, serving_grpc
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import DRAW_KEY, GatewayHarness
from tightrope.service.transport.grpc.messages import ModelInferResponse
from tightrope.service.transport.grpc.servicer import SERVICE


def test_caller_is_the_metadata_that_the_configuration_names(tmp_path: Path) -> None:
    """Only its keyed digest is in a sample; a call without it has no caller."""
    bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "caller": {"header": "X-Account"}}})

    async def served() -> None:
        async with serving_grpc(bench) as client:
            await client.infer(row(1.0, 1.0, id="a"), metadata=(("x-account", "ann"),))
            await client.infer(row(2.0, 1.0, id="b"), metadata=(("x-other", "ann"),))

    asyncio.run(served())
    bench.engine.sample_answers()
    callers = {sample.request_id: sample.caller for sample in bench.published()[0]}
    assert callers == {"a": DRAW_KEY.caller("m", "ann"), "b": 0}


def test_request_id_and_trace_are_those_of_the_metadata(tmp_path: Path) -> None:
    """The id in the message wins; the metadata come back in the trailers."""
    bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    said = (("x-request-id", "r-1"), ("traceparent", f"00-{trace_id}-00f067aa0ba902b7-01"))

    async def served() -> tuple[str, dict[str, str | bytes]]:
        async with serving_grpc(bench) as client:
            await client.infer(row(1.0, 1.0, id="a"), metadata=said)
            await client.infer(row(2.0, 1.0, id="b"))
            call = client.channel.unary_unary(f"/{SERVICE}/ModelInfer")(
                row(1.0, 3.0).SerializeToString(), metadata=said
            )
            answer = ModelInferResponse.FromString(await call)
            return answer.id, dict(await call.trailing_metadata())

    answered, trailers = asyncio.run(served())
    assert (answered, trailers["x-request-id"]) == ("r-1", "r-1")
    bench.engine.sample_answers()
    traces = {sample.request_id: sample.trace_id for sample in bench.published()[0]}
    assert traces == {"a": trace_id, "b": "", "r-1": trace_id}
