"""Modes are published at once when they change, and repeated while the judge does not fail again and again."""

import threading
from dataclasses import dataclass, field

from tests.support.judgement.judge_harness import lenient
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Routes
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import NoPager
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.judgement_view import JudgementView
from tightrope.shadow.output.mode_publisher import ModePublisher

PLANS = {"m": lenient()}


@dataclass
class Publishing:
    """A publisher over a bus, whose judge fails while ``failing`` is set."""

    repeat_seconds: float = float("inf")
    failing: bool = False
    bus: MemoryBus = field(default_factory=MemoryBus)

    def __post_init__(self) -> None:
        view = JudgementView(PLANS)
        view.states = {"m": initial_state(PLANS["m"])}
        stopping = threading.Event()
        self.modes = ModePublisher(self.bus, view, NoPager(), stopping, self.repeat_seconds, lambda: self.failing)
        self.reader = self.bus.subscribe(topic(CONTROL))

    def published(self) -> list[Routes]:
        """The modes that were published since the last call."""
        return [record_codec.decode_routes(record.value) for record in self.reader.poll(100, 0)]


def test_modes_are_repeated_when_it_is_time() -> None:
    """Gateways take that as a sign of life."""
    seldom, often = Publishing(), Publishing(repeat_seconds=0.0)
    for publishing in (seldom, often):
        publishing.modes.repeat(PLANS, at_once=True)
        publishing.modes.repeat(PLANS)
    assert (len(seldom.published()), len(often.published())) == (1, 2)


def test_failing_judge_repeats_nothing_and_publishes_changes() -> None:
    """A change may be a breach; once it does not fail any more, the modes are published again without waiting."""
    publishing = Publishing(failing=True)
    publishing.modes.repeat(PLANS, at_once=True)
    publishing.modes.repeat(PLANS)
    assert publishing.published() == []
    publishing.modes.publish([Routes("m", 3, ("model",), {})], ())
    assert [routes.epoch for routes in publishing.published()] == [3]
    publishing.failing = False
    publishing.modes.repeat(PLANS)
    publishing.modes.repeat(PLANS)
    assert len(publishing.published()) == 1
