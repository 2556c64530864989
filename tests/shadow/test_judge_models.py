"""A judge judges the models of its partitions, with and without readable snapshots."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.judgement.comparisons import SCOPES, RowSource, judged_count
from tests.support.judgement.judge_harness import POLICY, JudgeHarness, lenient
from tightrope.service.adapters.memory_bus import MemoryBus, MemorySubscription
from tightrope.service.adapters.ports import BusUnavailableError, StartOffsets
from tightrope.service.adapters.topics import COMPARISONS, topic
from tightrope.shadow import judge as module


def test_model_with_an_unreadable_snapshot_goes_to_safe_mode(tmp_path: Path) -> None:
    """Its harm is unknown in every scope. Other models continue, evidence brings it back, and gateways accept its modes
    as newer. The unreadable bytes are kept.
    """
    without_dwell = replace(lenient(), policy=replace(POLICY, min_dwell=0.0))
    harness = JudgeHarness(tmp_path, {"m": without_dwell, "n": lenient("n")})
    harness.order("force-safe", "group=b", model="n")
    harness.drain(harness.judge())
    harness.store.save("log", {}, {"m": b"of a version to come"}, [])
    harness.routes.clear()
    judge = harness.judge()
    harness.drain(judge)
    assert {r.model: r.safe for r in harness.routes} == {"m": lenient().scopes, "n": ("group=b",)}
    assert min(r.epoch for r in harness.routes if r.model == "m") > 1e9
    events = harness.events("m")
    assert [(event.kind, event.scope) for event in events] == [("unreadable", scope) for scope in lenient().scopes]
    assert events[0].reason.startswith("its snapshot cannot be read: ")
    assert harness.store.snapshot(events[0].reason.rpartition(" ")[2]) == b"of a version to come"
    assert all(mode.safe and mode.unread for mode in harness.saved_state("m").modes)
    assert harness.metrics.state_unreadable.labels("m")._value.get() == 1
    traffic = RowSource()
    harness.publish(traffic.rows(128))
    harness.drain(judge)
    assert harness.routes[-1].safe == SCOPES, "no row of the subgroups was seen"
    for _ in range(12):
        harness.publish(traffic.rows(64, member=True))
    harness.drain(judge)
    assert harness.routes[-1].safe == ()
    assert harness.metrics.state_unreadable.labels("m")._value.get() == 0


class Assignments(MemoryBus):
    """Two models on two partitions, and the callback that assigns them."""

    def subscribe(
        self, *topics: str, group: str | None = None, start_offsets: StartOffsets | None = None
    ) -> MemorySubscription:
        """Keep the callback."""
        if start_offsets is not None:
            self.assign = start_offsets
        return super().subscribe(*topics, group=group, start_offsets=start_offsets)

    def partition(self, topic: str, key: str) -> int:  # noqa: ARG002 - for any topic
        """Give each model a partition of its own."""
        return ["m", "n"].index(key)


def test_model_of_another_judge_has_no_metrics_here(tmp_path: Path) -> None:
    """Its metrics would stand still here while they change there; a judge that leaves has none at all."""
    bus = Assignments()
    harness = JudgeHarness(tmp_path, {"m": lenient(), "n": lenient("n")}, bus)
    judge = harness.judge()

    def shown() -> set[str]:
        families = [
            f for f in harness.metrics.registry.collect() if f.name in {"tightrope_evidence", "tightrope_verdict"}
        ]
        return {sample.labels["model"] for family in families for sample in family.samples}

    for mine, models in (((0, 1), {"m", "n"}), ((1,), {"n"}), ((), set()), ((0,), {"m"})):
        bus.assign([(topic(COMPARISONS), partition) for partition in mine])
        judge.step(0)
        assert shown() == models
    judge.close()
    assert shown() == set()


class Rebalancing(Assignments):
    """A group that is being rebalanced again right after an assignment."""

    owned = False

    def subscribe(
        self, *topics: str, group: str | None = None, start_offsets: StartOffsets | None = None
    ) -> MemorySubscription:
        """Let the bus say whether the group's partitions are owned."""
        subscription = super().subscribe(*topics, group=group, start_offsets=start_offsets)
        if group is not None:
            subscription.owns_partitions = lambda: self.owned  # type: ignore[method-assign]
        return subscription


def test_rebalance_right_after_an_assignment_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge waits for its end with what it has to save; it gives up only when that takes too long. No record that
    came meanwhile is lost.
    """
    bus = Rebalancing()
    harness = JudgeHarness(tmp_path, {"m": lenient(), "n": lenient("n")}, bus)
    harness.publish(RowSource().rows(64))
    judge = harness.judge()
    assert [judge.step(0), judge.step(0)] == [0, 0]
    assert harness.store.snapshot("m") is None
    bus.owned = True
    harness.drain(judge)
    assert judged_count(harness.saved_state("m")) == 64
    bus.owned = False
    bus.assign([(topic(COMPARISONS), 0)])
    monkeypatch.setattr(module, "REBALANCE_SECONDS", 0.0)
    with pytest.raises(BusUnavailableError, match="another judge has taken over"):
        judge.step(0)


def test_judge_begins_again_when_a_topic_was_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its positions mean nothing in the new topic."""
    harness = JudgeHarness(tmp_path)
    judge = harness.judge()
    judge.step(0)
    monkeypatch.setattr(harness.bus, "generation", lambda *_: 1)
    with pytest.raises(BusUnavailableError, match="was made anew: its readers begin again"):
        judge.step(0)
    harness.judge().step(0)
