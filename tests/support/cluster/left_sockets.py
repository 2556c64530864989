"""Sockets that Kafka's client leaves to the garbage collector, where it is refused or its broker ends."""

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def left_sockets() -> Iterator[None]:
    """Take no offence at them within the block; at its end they are collected, not in another test."""
    try:
        with _allowed():
            yield
    finally:
        with _allowed():  # again: a block that spans tests has lost its filter by now
            gc.collect()


@contextmanager
def _allowed() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
        yield
