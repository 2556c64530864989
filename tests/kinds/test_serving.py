"""Every public pair that Tightrope guards, on one server: each caller gets the answer to its own rows."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.kinds.conftest import Built
from tests.support.configs import write_config
from tests.support.kinds.caller_rows import assert_own_rows, make_rows
from tests.support.kinds.callers import TRANSPORTS, Callers, Said, Tensors
from tests.support.kinds.public_pairs import OF_WHEELS, PAIRS, SERVED
from tests.support.kinds.wheel_models import wheels
from tests.support.servers import serving
from tests.support.serving.service_harness import GatewayHarness
from tests.support.serving.transports import together
from tightrope.service.protocol.tensors import datatype_of

CALLERS = 16
MADE_UP = [name for name in SERVED if name not in OF_WHEELS]


@pytest.fixture(scope="module")
def server(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    """A real server of all these pairs."""
    names = SERVED if has_wheels() else MADE_UP
    models = {name: PAIRS[name].section(built(name)) for name in names}
    config = {"models": models, "server": {"port": 0, "grpc_port": 0}, "state": "state"}
    with serving(write_config(tmp_path_factory.mktemp("server"), config)) as running:
        callers = Callers(running.address, running.grpc)
        try:
            yield callers
        finally:
            callers.close()


def has_wheels() -> bool:
    """Whether the wheels are there; without them the other pairs are served all the same."""
    try:
        wheels()
    except pytest.skip.Exception:
        return False
    return True


def assert_answered(name: str, folder: Path, given: Tensors, said: Said) -> None:
    """Assert an answer of the baseline's types to these rows."""
    assert said.status == 200, said.text
    assert said.outputs is not None
    assert_own_rows(PAIRS[name], folder, given, said.served_by, said.outputs)
    assert said.datatypes == {output: datatype_of(tensor.dtype) for output, tensor in said.outputs.items()}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", SERVED)
def test_caller_gets_its_own_rows(server: Callers, built: Built, name: str, transport: str) -> None:
    """Alone and among 16 callers of one to three rows: of the baseline's names and types, and never an error."""
    pair, folder, random = PAIRS[name], built(name), np.random.default_rng(7)
    for rows in range(1, pair.most_rows + 1):
        given = make_rows(pair, folder, rows, random)
        assert_answered(name, folder, given, server.ask(transport, name, given))
    requests = [make_rows(pair, folder, 1 + n % min(3, pair.most_rows), random) for n in range(CALLERS)]
    for given, said in zip(requests, server.ask_together(transport, name, requests), strict=True):
        assert_answered(name, folder, given, said)


@pytest.mark.parametrize("name", MADE_UP)
def test_requests_of_one_batch_get_their_own_rows(built: Built, tmp_path: Path, name: str) -> None:
    """16 requests that wait together are answered in one batch: in one run, where that is proven to do no harm."""
    pair, folder, random = PAIRS[name], built(name), np.random.default_rng(9)
    bench = GatewayHarness(tmp_path, {"m": pair.section(folder)})
    bench.safe("m")
    requests = [make_rows(pair, folder, 1 + n % min(3, pair.most_rows), random) for n in range(CALLERS)]
    for given, answer in zip(requests, together(bench, requests), strict=True):
        assert_own_rows(pair, folder, given, str(answer.parameters["served_by"]), answer.outputs)
