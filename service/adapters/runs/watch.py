"""The watch over runs: a thread that ends those which have passed their deadline.

How it works: each thread has one `RunSlot` a model. Its number is odd while a run is under way, which is all that a run
costs; the watch looks at every slot ten times a second, and adds up the time for which it sees the same number. So a
process that was suspended as a whole ends no run. What passes its limit is ended by `RunOptions.terminate`, which
onnxruntime heeds between two nodes; a run that goes on for `GRACE_SECONDS` is stuck in one node, and its thread's owner
is told to give it up.
"""

import threading
import time
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet

from tightrope.service.adapters.runs.breaker import RunBreaker

LOOK_SECONDS = 0.1
"""Seconds between two looks."""

GRACE_SECONDS = 1.0
"""Time for which an ended run may go on before it is stuck."""

LOOP_SECONDS = 0.25
"""Limit of a run on the event loop, which was expected to take a few milliseconds at most."""


class EndableOptions(Protocol):
    """The options of a run that can be ended."""

    terminate: bool


class RunSlot:
    """The runs of one model in one thread. ``number`` counts beginnings and ends, so it is odd during a run; ``ended``
    is the number of the run that the watch has ended, 0 if none; ``held_loop``: it was ended for the event loop's sake;
    ``is_settled``: its thread uses another slot from now on.
    """

    __slots__ = ("__weakref__", "breaker", "ended", "held_loop", "is_settled", "is_stuck", "number", "options",
                 "seconds", "seen", "spent", "thread")  # fmt: skip

    def __init__(self, options: EndableOptions, seconds: float, breaker: RunBreaker) -> None:
        self.options = options
        self.seconds = seconds
        self.breaker = breaker
        self.thread = threading.get_ident()
        self.number = self.ended = self.seen = 0
        self.held_loop = self.is_settled = self.is_stuck = False
        self.spent = 0.0


class RunWatch:
    """The slots of a process, and the thread that looks at them, unless ``has_thread`` is false. ``loop_thread`` is the
    thread of the event loop while it makes a run itself, else 0.
    """

    def __init__(self, *, has_thread: bool = True) -> None:
        self.loop_thread = 0
        self._has_thread = has_thread
        self._slots: WeakSet[RunSlot] = WeakSet()
        self._owners: dict[int, Callable[[], None]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, slot: RunSlot) -> None:
        """Watch a slot; the first one starts the thread."""
        with self._lock:
            self._slots.add(slot)
            if self._thread is None and self._has_thread:
                self._thread = threading.Thread(target=self._run, name="run-watch", daemon=True)
                self._thread.start()

    def settle(self, slot: RunSlot) -> None:
        """Note that the ended run of a slot is over, and its thread uses another slot from now on."""
        with self._lock:
            slot.is_settled = True
            if slot.is_stuck:
                slot.breaker.record_freed()

    def own_thread(self, give_up: Callable[[], None]) -> None:
        """Have ``give_up`` called, on the watch's thread, whenever a run in this thread is stuck."""
        self._owners[threading.get_ident()] = give_up

    def disown_thread(self) -> None:
        """Undo `own_thread`."""
        self._owners.pop(threading.get_ident(), None)

    def check(self, seconds: float) -> None:
        """Check all slots, ``seconds`` after the last time."""
        with self._lock:
            slots = list(self._slots)
        for slot in slots:
            self._check_slot(slot, seconds)

    def _check_slot(self, slot: RunSlot, seconds: float) -> None:
        number = slot.number
        if not number & 1:
            return
        if number != slot.seen:
            slot.seen, slot.spent = number, 0.0
            return
        slot.spent += seconds
        on_loop = slot.thread == self.loop_thread
        if slot.ended != number:
            if slot.spent >= (min(LOOP_SECONDS, slot.seconds) if on_loop else slot.seconds):
                slot.held_loop, slot.ended = on_loop, number
                slot.options.terminate = True
                if not on_loop:
                    slot.breaker.record_expired()
        elif not slot.is_stuck and slot.spent >= slot.seconds + GRACE_SECONDS:
            with self._lock:
                if slot.is_settled:
                    return
                slot.is_stuck = True
                slot.breaker.record_stuck()
            if (give_up := self._owners.get(slot.thread)) is not None:
                give_up()

    def _run(self) -> None:
        before = time.monotonic()
        while True:
            time.sleep(LOOK_SECONDS)
            now = time.monotonic()
            self.check(min(now - before, 2 * LOOK_SECONDS))
            before = now


RUN_WATCH = RunWatch()
"""The watch of this process."""
