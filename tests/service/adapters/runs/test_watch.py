"""The watch ends what has passed its limit, and tells of what goes on all the same."""

import threading
from types import SimpleNamespace

from tightrope.service.adapters.runs.breaker import RunBreaker
from tightrope.service.adapters.runs.watch import GRACE_SECONDS, LOOK_SECONDS, LOOP_SECONDS, RunSlot, RunWatch

LIMIT = 5.0


def watched_slot(watch: RunWatch) -> RunSlot:
    """Return a slot with a run under way, seen once."""
    slot = RunSlot(SimpleNamespace(terminate=False), LIMIT, RunBreaker("m"))
    watch.add(slot)
    slot.number = 1
    watch.check(LOOK_SECONDS)
    return slot


def test_run_is_ended_at_its_limit() -> None:
    """And counted once."""
    watch = RunWatch(has_thread=False)
    slot = watched_slot(watch)
    watch.check(LIMIT - 0.1)
    assert not slot.options.terminate
    watch.check(0.1)
    assert (slot.options.terminate, slot.ended, slot.held_loop) == (True, 1, False)
    watch.check(0.1)
    assert slot.breaker.take_expired() == 1


def test_each_run_has_its_own_time() -> None:
    """A slot that is busy at every look is not one long run; an idle one takes no time."""
    watch = RunWatch(has_thread=False)
    slot = watched_slot(watch)
    for number in (3, 4, 5, 7, 8):
        watch.check(LIMIT - 0.1)
        slot.number = number
    assert not slot.options.terminate


def test_run_on_the_event_loop_is_ended_soon() -> None:
    """Its model did not fail: the run is made again in a thread."""
    watch = RunWatch(has_thread=False)
    slot = watched_slot(watch)
    watch.loop_thread = threading.get_ident()
    watch.check(LOOP_SECONDS)
    assert (slot.options.terminate, slot.held_loop, slot.breaker.take_expired()) == (True, True, 0)


def test_run_that_goes_on_is_stuck_until_it_is_settled() -> None:
    """The owner of its thread is told once."""
    watch, told = RunWatch(has_thread=False), []
    watch.own_thread(lambda: told.append("stuck"))
    slot = watched_slot(watch)
    watch.check(LIMIT)
    watch.check(GRACE_SECONDS - 0.1)
    assert (told, slot.breaker.stuck) == ([], 0)
    watch.check(0.2)
    watch.check(0.2)
    assert (told, slot.breaker.stuck) == (["stuck"], 1)
    watch.settle(slot)
    assert slot.breaker.stuck == 0


def test_settled_run_is_not_stuck() -> None:
    """Its thread may be at another run by now."""
    watch, told = RunWatch(has_thread=False), []
    watch.own_thread(lambda: told.append("stuck"))
    slot = watched_slot(watch)
    watch.check(LIMIT)
    watch.settle(slot)
    watch.check(2 * GRACE_SECONDS)
    assert (told, slot.breaker.stuck) == ([], 0)


def test_stuck_thread_may_have_no_owner() -> None:
    """The run counts as stuck, and the watch goes on."""
    watch = RunWatch(has_thread=False)
    watch.own_thread(lambda: 1 / 0)
    watch.disown_thread()
    slot = watched_slot(watch)
    watch.check(LIMIT)
    watch.check(2 * GRACE_SECONDS)
    assert slot.breaker.stuck == 1


def test_slot_of_an_ended_thread_is_forgotten() -> None:
    """The watch keeps none alive."""
    watch = RunWatch(has_thread=False)
    slot = watched_slot(watch)
    breaker = slot.breaker
    del slot
    watch.check(LIMIT)
    assert breaker.take_expired() == 0
