"""The newest events are kept for people, each read once, with the spans in which the full model answered."""

from tests.service.api.overview.test_event_search import Trail
from tightrope.monitors.records import Event
from tightrope.service.api.overview.trail import RecentTrail, history, moves


def moved(number: int, scope: str, state: str, kind: str = "breach") -> Event:
    """Return an event that moved a scope."""
    detail = {"moved": True, "after": {"state": state, "held": False}}
    return Event(str(number), float(number), "m", kind, scope, "judge", "", detail)


def test_events_are_read_once() -> None:
    """The second call reads only what came since."""
    trail = Trail([moved(1, "a=b", "safe")])
    recent = RecentTrail(trail)
    assert [line.seq for line in recent.lines()] == [1]
    trail.numbered += [(2, moved(2, "a=b", "normal", "recovered")), (3, moved(3, "a=c", "safe"))]
    assert [line.seq for line in recent.lines()] == [1, 2, 3]
    assert [line.seq for line in recent.lines()] == [1, 2, 3]


def test_spans_follow_the_moves() -> None:
    """The whole model first, then open spans, the newest first; a span that latches stays one."""
    events = [
        moved(1, "a=b", "safe"),
        moved(2, "a=b", "normal", "recovered"),
        moved(3, "a=b", "safe"),
        moved(4, "a=b", "latched"),
        moved(5, "model", "safe"),
        moved(6, "model", "normal", "recovered"),
        moved(7, "a=c", "safe"),
    ]
    found = moves(RecentTrail(Trail(events)).lines())
    assert [(each["scope"], [(s["from"], s["to"], s["state"]) for s in each["spans"]]) for each in found] == [
        ("model", [(5.0, 6.0, "safe")]),
        ("a=c", [(7.0, None, "safe")]),
        ("a=b", [(1.0, 2.0, "safe"), (3.0, None, "latched")]),
    ]


def test_span_of_some_classes_has_these_and_ends_where_the_whole_model_moves() -> None:
    """A further class is in the same span; an order widens it, which is a span of its own."""

    def narrowed(number: int, *classes: int) -> Event:
        detail = {"moved": True, "after": {"state": "safe", "held": False, "asked": list(classes)}}
        return Event(str(number), float(number), "m", "breach", "model", "judge", "", detail)

    events = [narrowed(1, 3), narrowed(2, 3, 5), moved(3, "model", "safe", "force-safe")]
    (found,) = moves(RecentTrail(Trail(events)).lines())
    assert [(s["from"], s["to"], s["asked"]) for s in found["spans"]] == [(1.0, 3.0, ["3", "5"]), (3.0, None, [])]
    assert found["title"] == "Everybody"
    (narrow,) = moves(RecentTrail(Trail(events[:2])).lines())
    assert narrow["title"] == "Everybody, where the small one says “3” or “5”"


def test_history_leaves_out_what_is_no_news() -> None:
    """The end of a waiting time, and further evidence about a group that has moved; the newest comes first."""
    further = Event("2", 2.0, "m", "breach", "a=b", "judge", "", {"moved": False})
    waited = Event("3", 3.0, "m", "dwell-elapsed", "a=b", "judge", "")
    lines = RecentTrail(Trail([moved(1, "a=b", "safe"), further, waited, moved(4, "a=c", "safe")])).lines()
    assert [(each["seq"], each["sort"]) for each in history(lines)] == [(4, "harm"), (1, "harm")]
