"""The wall clock of a process with faults. It imports nothing of the program, which binds `time.time` early."""

import time

CLOCK_JUMP_SECONDS = 3600.0

active: set[str] = set()
"""The faults of this process that act now."""


def install() -> None:
    """Let `time.time` jump while a fault of the clock acts; before the program is imported."""
    real = time.time

    def now() -> float:
        ahead, back = not active.isdisjoint({"clock_ahead", "clock_blip"}), "clock_back" in active
        return real() + CLOCK_JUMP_SECONDS * (ahead - back)

    time.time = now
