"""An event as a line holds its state, and a text of a person cannot break it."""

from tightrope.cli.people.event_lines import EVENT_COLUMNS, event_line
from tightrope.monitors.records import Event


def test_line_has_a_cell_for_each_column() -> None:
    """Tabs and line breaks of a reason become spaces."""
    detail = {"after": {"state": "latched"}}
    cells = event_line(7, Event("1", 0.0, "m", "release", "a=b", "B\ten", "one\ntwo\tthree", detail)).split("\t")
    assert len(cells) == len(EVENT_COLUMNS)
    assert cells == [
        *("7", "1970-01-01T00:00:00Z", "m", "a=b", "release", "latched", "B en"),
        "B en gave b (a) back to Tightrope: one two three",
    ]
