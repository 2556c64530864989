"""The answers of a running cluster, as the findings read them. A part without one is None, and in ``unanswered``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tightrope.service.adapters.kafka.admin import TopicDescription
from tightrope.service.adapters.kafka.inspection import GroupView
from tightrope.service.adapters.kafka.permissions.acls import Permission


@dataclass(frozen=True, slots=True)
class SeenHeartbeat:
    """A judge's heartbeat; ``live``: it was written while the doctor listened, and arrived ``skew`` seconds before this
    machine's clock showed the time at which the broker appended it.
    """

    model: str
    judge: str
    judged: int
    plan: str
    time: float
    live: bool = False
    skew: float = 0.0


@dataclass(frozen=True, slots=True)
class SeenRoutes:
    """Modes that a judge published; ``time`` is the broker's."""

    model: str
    epoch: int
    safe: tuple[str, ...]
    states: Mapping[str, str]
    plan: str
    time: float


@dataclass(frozen=True, slots=True)
class SeenNote:
    """A gateway's traffic note: ``sent`` by the gateway's clock, ``time`` by the broker's."""

    model: str
    kept: int
    plan: str
    sent: float
    time: float


@dataclass(frozen=True, slots=True)
class SeenSnapshot:
    """The latest snapshot of a model. ``topics`` has the ids of the topics that it refers to, by name; ``error`` is the
    reason why it cannot be read.
    """

    model: str
    topics: Mapping[str, str]
    epoch: int
    digest: str
    time: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class SeenMember:
    """A member's pages: the status of its readiness (0: it does not answer), the reasons, and its metrics: each series
    by name with its labels in text form, as Prometheus writes them.
    """

    url: str
    status: int
    reasons: tuple[str, ...] = ()
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ControlView:
    """The control topic's newest records, the oldest first, and how long the doctor listened for more, in seconds.

    ``newest`` is the broker's time of the last record, ``ended`` this machine's time at the end.
    """

    heartbeats: Sequence[SeenHeartbeat] = ()
    routes: Sequence[SeenRoutes] = ()
    refused: Mapping[tuple[str, str], int] = field(default_factory=dict)
    unreadable: int = 0
    listened: float = 0.0
    newest: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True, slots=True)
class ClusterView:
    """A cluster at one moment: ``models`` are those of the configuration, ``plans`` the coverage of each by its files,
    ``groups`` two looks at each group, ``parked`` the dead records of the last hour by topic and reason.
    """

    models: Sequence[str]
    partitions: int
    payloads: bool = False
    signing: str = ""
    topics: Mapping[str, TopicDescription] | None = None
    differences: Sequence[str] | None = None
    control: ControlView | None = None
    notes: Sequence[SeenNote] | None = None
    snapshots: Mapping[str, SeenSnapshot] | None = None
    groups: Mapping[str, tuple[GroupView, GroupView]] | None = None
    parked: Mapping[tuple[str, str], int] | None = None
    plans: Mapping[str, str] | None = None
    lacking: Mapping[str, Sequence[Permission]] | None = None
    members: Sequence[SeenMember] = ()
    unanswered: Mapping[str, str] = field(default_factory=dict)
