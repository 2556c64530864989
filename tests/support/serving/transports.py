"""A request over JSON, binary data, gRPC with typed and with raw contents, and many callers at once."""

from collections.abc import Mapping, Sequence

import numpy as np

from tests.support.serving.engine_requests import answer_together
from tests.support.serving.service_harness import OK, GatewayHarness
from tests.support.serving.transport_answers import TRANSPORTS, ask
from tightrope.service.protocol.rest import InferRequest, InferResponse, Scalar
from tightrope.service.protocol.tensors import Tensor

Outputs = Mapping[str, Tensor]


def over_http(bench: GatewayHarness, given: Mapping[str, Tensor], *, binary: bool, **parameters: Scalar) -> Outputs:
    """The outputs of the pair m for a request over HTTP, which must be answered."""
    status, text, outputs = status_over_http(bench, given, binary=binary, **parameters)
    assert status == OK, text
    return outputs


def status_over_http(
    bench: GatewayHarness, given: Mapping[str, Tensor], *, binary: bool, **parameters: Scalar
) -> tuple[int, str, Outputs]:
    """The status, the error and the outputs of a request over HTTP."""
    answer = ask(bench, "binary" if binary else "json", given, **parameters)
    return answer.status, answer.error, answer.outputs


def everywhere(bench: GatewayHarness, given: Mapping[str, Tensor]) -> Sequence[Outputs]:
    """The outputs over JSON, binary data, typed and raw gRPC; all must be answered."""
    answers = [ask(bench, transport, given) for transport in TRANSPORTS]
    for answer in answers:
        assert answer.status == OK, answer.error
    return [answer.outputs for answer in answers]


def together(bench: GatewayHarness, every: Sequence[Mapping[str, Tensor]]) -> Sequence[InferResponse]:
    """The answers of the pair m to callers whose requests wait together; all must be answered."""
    pair = bench.pairs["m"]
    asked = [
        pair.rows_first(InferRequest(f"r{n}", {}, dict(one), (), binary_default=False)) for n, one in enumerate(every)
    ]
    answers = answer_together(bench.engine, "m", asked)
    for answer in answers:
        assert isinstance(answer, InferResponse), answer
    return [answer for answer in answers if isinstance(answer, InferResponse)]


def assert_close(found: Outputs, expected: Outputs) -> None:
    """Assert equal names, types, shapes and numbers."""
    assert {name: (t.dtype, t.shape) for name, t in found.items()} == {
        name: (t.dtype, t.shape) for name, t in expected.items()
    }
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor, rtol=2e-5, atol=1e-6)
