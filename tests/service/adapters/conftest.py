"""Every bus there is, for the contract that all of them keep."""

from collections.abc import Callable

import pytest

from service.adapters.memory import MemoryBus
from service.adapters.ports import Bus
from tests.service.adapters.buses import COMPACTED


def memory_bus(capacity: int = 1 << 20) -> Bus:
    """The embedded bus."""
    return MemoryBus(capacity, {COMPACTED})


@pytest.fixture(params=[memory_bus], ids=["memory"])
def make_bus(request: pytest.FixtureRequest) -> Callable[..., Bus]:
    """How to make a bus of each kind; ``capacity`` is the bytes a topic may hold."""
    make: Callable[..., Bus] = request.param
    return make


@pytest.fixture
def bus(make_bus: Callable[..., Bus]) -> Bus:
    """An empty bus of each kind."""
    return make_bus()
