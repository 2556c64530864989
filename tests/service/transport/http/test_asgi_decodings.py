"""Large and compressed bodies are decoded a few at a time; the others wait, and small ones pass them."""

import asyncio
import gzip
import threading
import time
from collections.abc import Mapping

import pytest

from tests.support.serving.asgi_harness import GOOD, INFER, Exchange, LayerHarness, admission
from tightrope.service.inference.engine import LARGE_BYTES
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.rest import InferRequest
from tightrope.service.transport.http.codec import RequestDecoder


class CountingDecoder(RequestDecoder):
    """Counts the bodies that are decoded in threads at a time."""

    at_a_time = most = 0
    lock = threading.Lock()

    def decode(self, pair: ModelPair, raw: bytes, headers: Mapping[bytes, bytes]) -> InferRequest:
        """Decode a request, slowly where it is in a thread."""
        if threading.current_thread() is threading.main_thread():
            return super().decode(pair, raw, headers)
        with self.lock:
            self.at_a_time += 1
            self.most = max(self.most, self.at_a_time)
        time.sleep(0.02)
        with self.lock:
            self.at_a_time -= 1
        return super().decode(pair, raw, headers)


@pytest.mark.parametrize("most", [1, 3])
def test_few_bodies_are_decoded_at_a_time(world: LayerHarness, most: int) -> None:
    """As many as configured, compressed ones and large ones together; nothing is held afterwards."""
    world.layer.admission = admission(decodings=most)
    decoder = world.layer.decoder = CountingDecoder(world.layer.admission)
    large, packed = GOOD + b" " * LARGE_BYTES, gzip.compress(GOOD)
    exchanges = [Exchange(world.layer) for _ in range(10)]

    async def run() -> None:
        sending = [
            one._run(
                INFER, [packed if odd else large], "POST", {"Content-Encoding": "gzip"} if odd else {}, breaks=False
            )
            for odd, one in zip([True, False] * 5, exchanges, strict=True)
        ]
        await asyncio.gather(*sending)

    asyncio.run(run())
    assert [one.status for one in exchanges] == [200] * 10
    assert decoder.most == most
    assert world.layer.admission.bytes_in_flight == 0
