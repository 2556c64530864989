"""The caller of a gRPC request is named by its metadata."""

import asyncio
from pathlib import Path

from tests.support.serving.grpc_server import row, serving_grpc
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import DRAW_KEY, GatewayHarness


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
