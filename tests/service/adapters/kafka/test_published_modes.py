"""The modes on the control topic, and positions that no log fits any more."""

from dataclasses import replace

import pytest

from tests.support.judgement.judge_harness import lenient
from tightrope.monitors.history.retained import ScopeRecord
from tightrope.monitors.plan import State, initial_state
from tightrope.monitors.records import MODEL_SCOPE, Routes
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.service.adapters.kafka.published_modes import PublishedModes, misfits
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, topic
from tightrope.service.adapters.wire import record_codec

COMPARED = topic(COMPARISONS)


def published(*routes: Routes) -> PublishedModes:
    """The reader of a topic with these routes, at its end."""
    bus = MemoryBus()
    bus.publish(topic(CONTROL), b"garbage", "m")
    for each in routes:
        bus.publish(topic(CONTROL), record_codec.encode_routes(each), each.model)
    modes = PublishedModes(bus)
    modes.catch_up()
    return modes


def known(epoch: int, *safe: str) -> State:
    """A state with these scopes in safe mode."""
    plan = lenient()
    modes = tuple(Mode(ModeState.SAFE if scope in safe else ModeState.NORMAL) for scope in plan.scopes)
    return replace(initial_state(plan), epoch=epoch, modes=modes)


def known_narrow(epoch: int, *asked: int) -> State:
    """A state whose model is narrowed to these classes."""
    state = known(epoch, MODEL_SCOPE)
    return replace(state, modes=(replace(state.modes[0], asked=asked), *state.modes[1:]))


def test_newest_epoch_of_each_model_is_known() -> None:
    """Routes that come late, as by a judge that was suspended, do not replace it."""
    modes = published(Routes("m", 3, (), {}), Routes("m", 5, (), {}), Routes("m", 4, (), {}), Routes("n", 1, (), {}))
    assert [modes.epoch(model) for model in "mnz"] == [5, 1, -1]
    assert (modes.position(0), modes.position(1)) == (5, 0)


@pytest.mark.parametrize(
    ("routes", "state", "returned"),
    [
        (Routes("m", 5, ("group=a",), {}), known(5), []),
        (Routes("m", 6, ("group=a",), {}), known(5), ["group=a"]),
        (Routes("m", 6, ("group=a", MODEL_SCOPE), {}), known(5, "group=a"), [MODEL_SCOPE]),
        (Routes("m", 6, (), {}), known(5, "group=a"), []),
        (Routes("n", 6, ("group=a",), {}), known(5), []),
        (Routes("m", 6, (MODEL_SCOPE,), {}, asked=(1,)), known(5, MODEL_SCOPE), []),
        (Routes("m", 6, (MODEL_SCOPE,), {}, asked=(1,)), known_narrow(5, 1, 2), []),
        (Routes("m", 6, (MODEL_SCOPE,), {}, asked=(1, 3)), known_narrow(5, 1, 2), [MODEL_SCOPE]),
        (Routes("m", 6, (MODEL_SCOPE,), {}), known_narrow(5, 1), [MODEL_SCOPE]),
    ],
)
def test_scopes_that_an_older_state_would_return_are_named(routes: Routes, state: State, returned: list[str]) -> None:
    """Only newer modes count, of the same model."""
    assert published(routes).returned_scopes(state, "m") == returned


def test_model_that_is_safe_for_orphans_is_not_returned() -> None:
    """Their rows cannot be told from others, so that the published modes name the model, and the state does not."""
    retained = replace(known(5).retained, orphans={"gone=x": ScopeRecord(Mode(ModeState.SAFE))})
    state = replace(known(5), retained=retained)
    assert published(Routes("m", 6, (MODEL_SCOPE,), {})).returned_scopes(state, "m") == []


def test_topic_is_told_once() -> None:
    """Another id explains a position beyond the end; a topic without an id before is as it was."""
    positions = {(COMPARED, 0): 9, (COMPARED, 1): 9, ("unknown", 0): 0}
    ends = {(COMPARED, 0): 3, (COMPARED, 1): 9}
    (anew,) = misfits(positions, {COMPARED: "one"}, {COMPARED: "two"}, ends)
    assert (anew.topic, anew.cause) == (COMPARED, "made_anew")
    (beyond,) = misfits(positions, {COMPARED: ""}, {COMPARED: "two"}, ends)
    assert (beyond.topic, beyond.cause) == (COMPARED, "beyond_end")
    assert misfits({(COMPARED, 1): 9}, {}, {COMPARED: "two"}, ends) == []
