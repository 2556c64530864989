"""The heartbeat of a judge, a record of the control topic that no state depends on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.wire.bounds import COUNTS
from tightrope.service.adapters.wire.envelope import WireError, build, mapping, pack, unpack

HEARTBEAT_SCHEMA = "tightrope.heartbeat"

HEARTBEAT_KEY = "/heartbeat"
"""End of a heartbeat's key: under the model's own key, compaction would delete its routes."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A judge's sign of life: the number of a model's rows that it has judged since it started.

    ``judge`` names this start of the judge, because the count begins anew with each; ``clock`` is its monotonic clock
    in seconds, by which a record that is read a second time differs from a new one. ``scopes`` gives the rows by
    subgroup, and ``plan`` is the coverage of the plan by which they are judged; an older judge gives neither.
    """

    model: str
    judge: str
    clock: float
    judged: int
    scopes: Mapping[str, int] = field(default_factory=dict)
    plan: str = ""


def encode_heartbeat(heartbeat: Heartbeat) -> bytes:
    """A heartbeat as a record."""
    return pack(HEARTBEAT_SCHEMA, asdict(heartbeat))


def decode_heartbeat(data: bytes) -> Heartbeat:
    """The heartbeat of a record.

    Raises:
        WireError: when the record is no heartbeat.
    """
    heartbeat = build(Heartbeat, "heartbeat", unpack(data, HEARTBEAT_SCHEMA))
    for scope, rows in mapping(heartbeat.scopes, "heartbeat.scopes").items():
        if type(rows) is not int or not COUNTS.contains(rows):
            raise WireError(f"heartbeat.scopes.{scope}: must be a whole number {COUNTS}")
    return heartbeat


def is_heartbeat(record: Record) -> bool:
    """Whether a record is a heartbeat, by its key."""
    return (record.key or "").endswith(HEARTBEAT_KEY)
