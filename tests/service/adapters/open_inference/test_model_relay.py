"""A remote model through a relay."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.serving.fake_oip_server import FakeServer, fake_server
from tightrope.service.adapters.open_inference.model import connect, endpoint_of, independent_copy

ROWS = {"input": np.zeros((1, 2), np.float32)}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server with the model ``m``."""
    with fake_server() as running:
        yield running


def test_copy_goes_through_a_relay_and_keeps_its_digest(server: FakeServer) -> None:
    """Its calls take no longer than is given; an open breaker of the original is not the relay's."""
    model = connect(server.where())
    model.breaker.open("away")
    address = server.address.removeprefix("http://")
    moved = endpoint_of(independent_copy(model, address, 1.5))
    assert moved is not None
    assert (moved.where.relay, moved.where.timeout, moved.digest) == (address, 1.5, model.digest)
    assert moved.run(ROWS, ["probabilities"])["probabilities"].tolist() == [[1.0, 0.0]]
