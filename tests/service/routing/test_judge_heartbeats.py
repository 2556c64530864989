"""Only a newer heartbeat of a known judge says something new."""

from tightrope.service.adapters.wire.heartbeat import Heartbeat
from tightrope.service.routing.judge_heartbeats import MAX_JUDGES, JudgeHeartbeats


def beat(judge: str, clock: float) -> Heartbeat:
    """A heartbeat of this judge."""
    return Heartbeat("m", judge, clock, judged=int(clock))


def test_heartbeat_returns_the_one_before_of_its_judge() -> None:
    """None for the first of a judge, and for one that is read again or is older."""
    heartbeats = JudgeHeartbeats()
    assert heartbeats.replace(beat("a", 1.0)) is None
    assert heartbeats.replace(beat("b", 5.0)) is None
    assert heartbeats.replace(beat("a", 2.0)) == beat("a", 1.0)
    assert heartbeats.replace(beat("a", 2.0)) is None
    assert heartbeats.replace(beat("a", 1.5)) is None


def test_number_of_judges_is_bounded() -> None:
    """The one that was heard least lately is forgotten."""
    heartbeats = JudgeHeartbeats()
    for number in range(MAX_JUDGES):
        heartbeats.replace(beat(str(number), 1.0))
    assert heartbeats.replace(beat("0", 2.0)) is not None
    heartbeats.replace(beat("new", 1.0))
    assert "0" in heartbeats.by_judge
    assert "1" not in heartbeats.by_judge
