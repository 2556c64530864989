"""The bound on the memory of callers grows with each limit, and is told in one line."""

import pytest

from tightrope.service.config.process.limits import LimitsSection
from tightrope.service.config.process.server import ServerSection
from tightrope.service.transport.memory_bound import (
    CONNECTION_BYTES,
    DECODING_FACTOR,
    describe_bound,
    memory_bound,
)

MiB = 1024 * 1024


def test_bound_is_the_sum_of_its_parts() -> None:
    """Connections, bodies in flight and decoding; gRPC's calls where it is served."""
    limits = LimitsSection(connections=10, bytes_in_flight=8 * MiB, decodings=3, grpc_calls=5)
    server = ServerSection(max_body_bytes=2 * MiB, limits=limits)
    expected = 10 * CONNECTION_BYTES + 8 * MiB + 3 * DECODING_FACTOR * 2 * MiB
    assert memory_bound(server) == expected
    assert memory_bound(server.model_copy(update={"grpc_port": 0})) == expected + 5 * 2 * MiB


@pytest.mark.parametrize("key", ["connections", "bytes_in_flight", "decodings", "grpc_calls"])
def test_every_limit_of_memory_counts(key: str) -> None:
    """A higher limit is a higher bound."""
    bounds = [
        memory_bound(ServerSection(grpc_port=0, max_body_bytes=MiB, limits=LimitsSection.model_validate({key: value})))
        for value in ((8 * MiB, 9 * MiB) if key == "bytes_in_flight" else (8, 9))
    ]
    assert bounds[0] < bounds[1]


def test_bound_is_told_in_one_line() -> None:
    """With the memory at the start, and what it is made of."""
    line = describe_bound(ServerSection(grpc_port=0), 150 * MiB)
    assert line == (
        "150 MiB at start, and at most 5888 MiB for callers: 1024 connections, 128 MiB in flight, "
        "2 decodings of 16384 KiB, 256 gRPC calls of 16384 KiB"
    )
