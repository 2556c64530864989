"""Python's collector of garbage, out of the way: while a server starts, and of what then stays."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def put_off() -> Iterator[None]:
    """Until `settled`: to look for garbage again and again takes an eighth of the start, and finds next to none."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def settled() -> None:
    """What is there by now stays: to look at it again and again would hold up requests."""
    if gc.isenabled():
        gc.collect()
    gc.freeze()
    gc.enable()
