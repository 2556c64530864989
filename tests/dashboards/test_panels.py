"""The builder gives panels their places and numbers, and leaves nothing out."""

from itertools import product

import pytest

from dashboards.panels import WIDE, Panel, Query, Row, dashboard, figure, growth, heat, lines, table, timeline, variable
from tests.boards import panels

ONE = Query("up", "{{job}}")


def test_panels_stand_side_by_side_and_wrap() -> None:
    """None overlaps another, folded ones below their heading, and numbers are unique."""
    wide = [Panel("stat", str(n), "t", [ONE], width=10, height=4 + n) for n in range(5)]
    board = dashboard("u", "t", "d", (), [Row("a", wide), Row("b", wide[:1], folded=True), Row("c", wide[:2])])
    shown = [p for p in board["panels"] if p["type"] != "row"]
    assert [len(p.get("panels", ())) for p in board["panels"] if p["type"] == "row"] == [0, 1, 0]
    taken: set[tuple[int, int]] = set()
    for panel in shown:
        place = panel["gridPos"]
        across, down = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells = set(product(across, down))
        assert max(x for x, _ in cells) < WIDE
        assert not cells & taken
        taken |= cells
    numbers = [p["id"] for p in board["panels"]] + [p["id"] for row in board["panels"] for p in row.get("panels", ())]
    assert len(set(numbers)) == len(numbers)


def test_limits_are_dashed_and_marks_are_thresholds() -> None:
    """So that a limit is never taken for a measurement."""
    drawn = lines("x", "t", "s", {"limit": "up"}, defaults={"min": None})
    (panel,) = panels(dashboard("u", "t", "d", (), [Row("a", [drawn])]))
    assert "limit" in {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
    assert (panel["fieldConfig"]["defaults"]["unit"], panel["fieldConfig"]["defaults"]["min"]) == ("s", None)
    (stat,) = panels(dashboard("u", "t", "d", (), [Row("a", [figure("x", "t", "up", {1: "red"})])]))
    steps = stat["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert steps == [{"value": None, "color": "green"}, {"value": 1, "color": "red"}]


@pytest.mark.parametrize(
    ("panel", "kind"),
    [
        (table("x", "t", [Query("up", table=True)], []), "table"),
        (timeline("x", "t", ONE, {0: ("no", "green"), 1: ("yes", "red")}), "state-timeline"),
        (heat("x", "t", ONE, 1), "status-history"),
    ],
)
def test_kinds_are_grafanas(panel: Panel, kind: str) -> None:
    """Tables ask for rows as of now, the others for a range."""
    (made,) = panels(dashboard("u", "t", "d", (), [Row("a", [panel])]))
    assert made["type"] == kind
    assert made["targets"][0].get("format") == ("table" if kind == "table" else None)
    assert bool(made["targets"][0]["range"]) == (kind != "table")


def test_values_of_a_timeline_have_names_and_colours() -> None:
    """0 and 1 say little."""
    made = timeline("x", "t", ONE, {0: ("compressed", "green"), 1: ("baseline", "orange")})
    assert made.defaults["mappings"][0]["options"]["1"] == {"text": "baseline", "color": "orange"}


def test_variable_may_take_several_values() -> None:
    """All of them to begin with; one that may not has no such choice."""
    assert variable("m", "M", "label_values(up, m)", several=True)["allValue"] == ".*"
    assert not variable("m", "M", "label_values(up, m)")["includeAll"]


def test_growth_keeps_the_choice() -> None:
    """Of a counter, by labels; narrowed further if asked."""
    assert growth("a_total", "x, y", '{m="1"}') == 'sum by (x, y) (rate(a_total{m="1"}[$__rate_interval]))'
    assert growth("a_total", "x", '{m="1"}', 's="2"') == 'sum by (x) (rate(a_total{m="1", s="2"}[$__rate_interval]))'
