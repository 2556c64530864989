"""Panels are what Grafana knows, and look as what they show deserves."""

import pytest

from tests.support.observability.dashboard_queries import panels
from tightrope.dashboards.grid import dashboard
from tightrope.dashboards.panels import Look, Panel, Query, Row, figure, growth, heat, lines, stained, table, timeline

ONE = Query("up", "{{job}}")


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
        (heat("x", "t", ONE, {1: "red"}), "status-history"),
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


def test_heat_map_asks_for_what_grafana_draws() -> None:
    """It refuses more samples than half of the panel's pixels, and a panel may be 300 wide."""
    points = heat("x", "t", ONE, {1: "red"}).points
    assert points is not None
    assert points <= 150


@pytest.mark.parametrize(
    ("look", "changed"),
    [
        (Look.QUIET, {"axisSoftMax": 1}),
        (Look.MANY, {"fillOpacity": 0}),
        (Look.EVENTS, {"drawStyle": "bars", "fillOpacity": 100}),
    ],
)
def test_lines_look_as_what_they_show(look: Look, changed: dict[str, object]) -> None:
    """Zero is no full scale, a crowd is listed with the largest first, events are bars."""
    usual, drawn = (lines("x", "t", "s", {"up": "up"}, one) for one in (Look.USUAL, look))
    assert drawn.defaults["custom"] == usual.defaults["custom"] | changed
    assert ("sortBy" in drawn.options["legend"]) == (look is Look.MANY)
    assert (drawn.points is not None) == (look is Look.EVENTS)


def test_roles_have_their_colours() -> None:
    """Baseline and compressed are never taken for each other."""
    fixed = {
        one["matcher"]["options"]: one["properties"][0]["value"]["fixedColor"]
        for one in lines("x", "t", "s", {"up": "up"}).overrides
        if one["properties"][0]["id"] == "color"
    }
    assert fixed == {"baseline": "orange", "compressed": "green"}


def test_table_begins_with_the_largest() -> None:
    """Where it says of what; cells have a colour from a value on."""
    made = table("x", "t", [ONE], [], sort="Harm")
    assert made.options["sortBy"] == [{"displayName": "Harm", "desc": True}]
    assert "sortBy" not in table("x", "t", [ONE], []).options
    assert [step["color"] for step in stained({1: "red"})["thresholds"]["steps"]] == ["transparent", "red"]


def test_growth_keeps_the_choice() -> None:
    """Of a counter, by labels; narrowed further if asked."""
    assert growth("a_total", "x, y", '{m="1"}') == 'sum by (x, y) (rate(a_total{m="1"}[$__rate_interval]))'
    assert growth("a_total", "x", '{m="1"}', 's="2"') == 'sum by (x) (rate(a_total{m="1", s="2"}[$__rate_interval]))'
