"""Records of the topics become what the findings read; records of other programs stop nothing."""

from tightrope.monitors.records import Routes, Traffic
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.heartbeat import Heartbeat, encode_heartbeat
from tightrope.wiring.doctor.topic_tails import build_control_view, parked_reason, traffic_notes

CONTROL, COMPARISONS = "tightrope.control", "tightrope.comparisons"


def record(value: bytes, time: float = 100.0, key: str = "m", name: str = CONTROL) -> Record:
    """A record of a topic."""
    return Record(name, 0, 0, key, value, time)


def test_control_records_are_read() -> None:
    """Heartbeats, the live ones with the difference of the clocks, and modes; garbage is counted."""
    beat = encode_heartbeat(Heartbeat("m", "j", 5.0, 77, plan="p"))
    modes = record_codec.encode_routes(Routes("m", 4, ("sex=f",), {"model": "normal", "sex=f": "safe"}, plan="p"))
    view = build_control_view(
        [(record(modes), None), (record(b"garbage"), None), (record(beat, 101.0), 101.25)], {}, 3.0, 102.0
    )
    (heard,) = view.heartbeats
    assert (heard.model, heard.judge, heard.judged, heard.plan, heard.live, heard.skew) == (
        "m",
        "j",
        77,
        "p",
        True,
        0.25,
    )
    (routes,) = view.routes
    assert (routes.epoch, routes.safe, routes.plan) == (4, ("sex=f",), "p")
    assert (view.unreadable, view.newest, view.ended) == (1, 101.0, 102.0)


def test_notes_are_found_among_comparisons() -> None:
    """Other records of the topic are passed over."""
    note = record_codec.encode_traffic(Traffic("m", time=99.0, kept=12, since=90.0))
    (found,) = traffic_notes([record(b"garbage", name=COMPARISONS), record(note, name=COMPARISONS)])
    assert (found.model, found.kept, found.sent, found.time) == ("m", 12, 99.0, 100.0)


def test_parked_records_name_their_topic_and_reason() -> None:
    """By their key; a key of another form is told as it is."""
    assert parked_reason(record(b"", key="tightrope.samples/0/7: not a record: x")) == (
        "tightrope.samples",
        "not a record: x",
    )
    assert parked_reason(record(b"", key="")) == ("unknown", "no reason given")
