"""Views of a cluster for the doctor's findings: a healthy one, and changes of it."""

from dataclasses import replace
from typing import Any

from tightrope.service.adapters.kafka.admin import TopicDescription
from tightrope.service.adapters.kafka.inspection import GroupView
from tightrope.service.adapters.topics import ALL_TOPICS, JUDGES_GROUP, WORKERS_GROUP, topic
from tightrope.wiring.doctor.cluster_view import (
    ClusterView,
    ControlView,
    SeenHeartbeat,
    SeenMember,
    SeenNote,
    SeenRoutes,
    SeenSnapshot,
)

NOW = 1_000_000.0
PLAN = "a" * 64

GROUP = GroupView("Stable", ("worker-1",), 1, {(topic("samples"), 0): 3})


def heartbeat(judged: int = 500, **changes: Any) -> SeenHeartbeat:  # noqa: ANN401 - any field
    """A live heartbeat of judge j-1 for model m."""
    return replace(SeenHeartbeat("m", "j-1", judged, PLAN, NOW - 1, live=True, skew=0.01), **changes)


def routes(epoch: int, *safe: str, state: str = "normal") -> SeenRoutes:
    """Modes of model m."""
    return SeenRoutes("m", epoch, safe, {"model": "normal", "sex=f": state}, PLAN, NOW - 2)


def control(**changes: Any) -> ControlView:  # noqa: ANN401 - any field
    """The control topic of a healthy cluster."""
    heartbeats = [heartbeat(0, time=NOW - 30, live=False), heartbeat()]
    return replace(ControlView(heartbeats, [routes(3)], {}, 0, 3.0, NOW, NOW), **changes)


def healthy(**changes: Any) -> ClusterView:  # noqa: ANN401 - any field
    """A cluster with one judge, one worker and one gateway."""
    view = ClusterView(
        models=["m"],
        partitions=2,
        topics={topic(name): TopicDescription(f"id-{name}", 2) for name in ALL_TOPICS},
        differences=[],
        control=control(),
        notes=[SeenNote("m", 400, PLAN, NOW - 5, NOW - 5)],
        snapshots={"m": SeenSnapshot("m", {topic("samples"): "id-samples"}, 3, "d", NOW - 2)},
        groups={WORKERS_GROUP: (GROUP, GROUP), JUDGES_GROUP: (GROUP, GROUP)},
        parked={},
        plans={"m": PLAN},
        lacking={"gateway": [], "worker": [], "judge": []},
        members=[SeenMember("http://g:8080", 200, (), {"tightrope_blind": {'{model="m"}': 0.0}})],
    )
    return replace(view, **changes)
