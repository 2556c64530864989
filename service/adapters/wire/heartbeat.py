"""The heartbeat of a judge, a record of the control topic that no state depends on."""

from dataclasses import asdict, dataclass

from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.wire.envelope import build, pack, unpack

HEARTBEAT_SCHEMA = "tightrope.heartbeat"

HEARTBEAT_KEY = "/heartbeat"
"""End of a heartbeat's key: under the model's own key, compaction would delete its routes."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A judge's sign of life: the number of a model's rows that it has judged since it started.

    ``judge`` names this start of the judge, because the count begins anew with each; ``clock`` is its monotonic clock
    in seconds, by which a record that is read a second time differs from a new one.
    """

    model: str
    judge: str
    clock: float
    judged: int


def encode_heartbeat(heartbeat: Heartbeat) -> bytes:
    """A heartbeat as a record."""
    return pack(HEARTBEAT_SCHEMA, asdict(heartbeat))


def decode_heartbeat(data: bytes) -> Heartbeat:
    """The heartbeat of a record.

    Raises:
        WireError: when the record is no heartbeat.
    """
    return build(Heartbeat, "heartbeat", unpack(data, HEARTBEAT_SCHEMA))


def is_heartbeat(record: Record) -> bool:
    """Whether a record is a heartbeat, by its key."""
    return (record.key or "").endswith(HEARTBEAT_KEY)
