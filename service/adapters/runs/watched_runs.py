"""The runs of one model under watch: each has a deadline, and the breaker of a model that hangs refuses them."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from tightrope.monitors.records import Tensors
from tightrope.service.adapters.ports import EventLoopHeldError, RunDeadlineError, RunFailedError
from tightrope.service.adapters.runs.breaker import RunBreaker
from tightrope.service.adapters.runs.threads import RunThreads
from tightrope.service.adapters.runs.watch import RUN_WATCH, EndableOptions, RunSlot

log = logging.getLogger(__name__)

RunCall = Callable[[Sequence[str], Tensors, Any], Sequence[Any]]
"""A run: names of the outputs, inputs and options in, outputs out."""


DEFAULT_RUN_SECONDS = 10.0
"""Deadline of a run, unless `limit_runs` sets another."""


class WatchedRuns:
    """Runs of the model ``name``. ``call`` makes one, with options of ``make_options``; ``probe`` makes one of zeros
    through `run_anyway`. ``seconds`` is the deadline of each.
    """

    def __init__(
        self,
        name: str,
        call: RunCall,
        make_options: Callable[[], EndableOptions],
        probe: Callable[["WatchedRuns"], None],
    ) -> None:
        self.breaker = RunBreaker(name)
        self.seconds = DEFAULT_RUN_SECONDS
        self.name = name
        self.call = call
        self._make_options = make_options
        self._probe = probe
        self._probes = RunThreads(1, "run-probe")
        self._slots = threading.local()

    def renewed(self) -> "WatchedRuns":
        """Runs of the same model with a breaker of their own."""
        runs = WatchedRuns(self.name, self.call, self._make_options, self._probe)
        runs.seconds = self.seconds
        return runs

    def run(self, outputs: Sequence[str], inputs: Tensors) -> Sequence[Any]:
        """Make a run, unless the model is kept from requests.

        Raises:
            RunDeadlineError: when it is, or when the run has passed its deadline.
            EventLoopHeldError: when the run held the event loop.
            Exception: the error of the run.
        """
        if self.breaker.is_open:
            self._refuse()
        return self.run_anyway(outputs, inputs)

    def run_anyway(self, outputs: Sequence[str], inputs: Tensors) -> Sequence[Any]:
        """Make a run, even if the model is kept from requests; raises as `run`."""
        try:
            slot: RunSlot = self._slots.slot
        except AttributeError:
            slot = self._new_slot()
        slot.number += 1
        try:
            values = self.call(outputs, inputs, slot.options)
        except BaseException as error:
            slot.number += 1
            if not slot.ended:
                raise
            if not self._settle(slot):
                return self.run_anyway(outputs, inputs)
            if slot.held_loop:
                raise EventLoopHeldError(f"{self.name}: a run held the event loop") from error
            raise RunDeadlineError(f"no answer within {self.seconds:g} s") from error
        slot.number += 1
        if slot.ended:
            self._settle(slot)
        elif self.breaker.expired_in_a_row:
            self.breaker.record_answer()
        return values

    def _settle(self, slot: RunSlot) -> bool:
        """Discard a slot whose options are spent. Whether the watch meant its latest run: it may have ended just as the
        watch looked, and then the next one was hit.
        """
        del self._slots.slot
        RUN_WATCH.settle(slot)
        return slot.ended == slot.number - 1

    def _new_slot(self) -> RunSlot:
        slot = RunSlot(self._make_options(), self.seconds, self.breaker)
        RUN_WATCH.add(slot)
        self._slots.slot = slot
        return slot

    def _refuse(self) -> None:
        """Refuse a run, and make a probe in a thread if one is due.

        Raises:
            RunDeadlineError: always.
        """
        if self.breaker.admit():
            self._probes.submit(self._make_probe, self._fail_probe)
        raise RunDeadlineError(f"it hangs: kept from requests until a run of zeros answers within {self.seconds:g} s")

    def _make_probe(self) -> None:
        answered = True
        try:
            self._probe(self)
        except RunDeadlineError:
            answered = False
        except RunFailedError:
            pass  # zeros may be no valid input, but the model answers
        except Exception:
            log.exception("%s: the probe failed", self.name)
            answered = False
        self.breaker.finish_probe(answered=answered)

    def _fail_probe(self) -> None:
        self.breaker.finish_probe(answered=False)


def runs_of(model: object) -> WatchedRuns | None:
    """The watched runs of a model; None for a remote one, which has a timeout of its own."""
    runs = getattr(model, "runs", None)
    return runs if isinstance(runs, WatchedRuns) else None


def has_stuck_run(model: object) -> bool:
    """Whether a run of this model goes on although it was ended."""
    runs = runs_of(model)
    return runs is not None and runs.breaker.stuck > 0


def is_kept_away(model: object) -> bool:
    """Whether a model gets no requests because it hangs."""
    runs = runs_of(model)
    return runs is not None and runs.breaker.is_open


def limit_runs(model: object, seconds: float) -> None:
    """Set the deadline of a model's runs, if they are watched."""
    if (runs := runs_of(model)) is not None:
        runs.seconds = seconds
