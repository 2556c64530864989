"""The memory that callers take of a gateway at most, as its limits bound it. The models' runs and answers need more,
as their inputs and outputs are large.
"""

from tightrope.service.config.process.server import ServerSection

KiB, MiB = 1024, 1024 * 1024

CONNECTION_BYTES = 640 * KiB
"""Memory of a connection with a small request in each of its forms, or with as many that wait for their turn as there
may be, and with what the event loop has read for it.
"""
DECODING_FACTOR = 32
"""Memory of a body while it is decoded, for each of its bytes: the densest JSON, an array of arrays of one digit, takes
28.
"""


def memory_bound(server: ServerSection) -> int:
    """The bytes that connections, bodies in flight and decoding take at most."""
    limits = server.limits
    grpc = 0 if server.grpc_port is None else limits.grpc_calls * server.max_body_bytes
    decoding = limits.decodings * DECODING_FACTOR * server.max_body_bytes
    return limits.connections * CONNECTION_BYTES + server.bytes_in_flight + decoding + grpc


def describe_bound(server: ServerSection, process_bytes: int) -> str:
    """The bound in one line for the log, beside the memory that the process has at its start."""
    limits, body = server.limits, server.max_body_bytes
    parts = [
        f"{limits.connections} connections",
        f"{server.bytes_in_flight // MiB} MiB in flight",
        f"{limits.decodings} decodings of {body // KiB} KiB",
    ]
    parts += [] if server.grpc_port is None else [f"{limits.grpc_calls} gRPC calls of {body // KiB} KiB"]
    total = memory_bound(server) // MiB
    return f"{process_bytes // MiB} MiB at start, and at most {total} MiB for callers: {', '.join(parts)}"
