"""Sockets that Kafka's client leaves to the garbage collector, where it is refused or its broker ends."""

import gc
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def left_sockets(servers: Sequence[str]) -> Iterator[None]:
    """Allow those to these brokers (HOST:PORT) within the block; at its end they are collected, not in another test."""
    ports = "|".join(server.rpartition(":")[2] for server in servers)
    message = rf"unclosed <socket.*raddr=\('[\d.:]+', ({ports})\b"
    try:
        with _allowed(message):
            yield
    finally:
        with _allowed(message):  # again: a block that spans tests has lost its filter by now
            gc.collect()


@contextmanager
def _allowed(message: str) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message, ResourceWarning)
        yield
