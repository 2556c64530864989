"""The latest heartbeats of a model's judges."""

from tightrope.service.adapters.wire.heartbeat import Heartbeat

MAX_JUDGES = 8
"""Latest judges of a model that are remembered; a restarted judge counts as another."""


class JudgeHeartbeats:
    """The latest heartbeat of each of the latest `MAX_JUDGES` judges of one model."""

    def __init__(self) -> None:
        self.by_judge: dict[str, Heartbeat] = {}

    def replace(self, heartbeat: Heartbeat) -> Heartbeat | None:
        """Remember a heartbeat; returns the one before of its judge, None where this one says nothing new.

        The first heartbeat of a judge only begins its count, because a topic may hold it from before this start, and a
        record that is read again has a clock that is not newer.
        """
        before = self.by_judge.pop(heartbeat.judge, None)
        self.by_judge[heartbeat.judge] = heartbeat
        while len(self.by_judge) > MAX_JUDGES:
            del self.by_judge[next(iter(self.by_judge))]
        return before if before is not None and heartbeat.clock > before.clock else None
