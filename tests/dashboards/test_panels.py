"""Panels have Grafana's types and a suitable appearance."""

import pytest

from tests.support.observability.dashboard_queries import panels
from tightrope.dashboards.grid import dashboard
from tightrope.dashboards.panels import (
    LineStyle,
    Panel,
    PanelRow,
    Query,
    coloured_cells,
    heat_map,
    lines,
    role_column,
    single_value,
    table,
    timeline,
)

ONE = Query("up", "{{job}}")


def test_limits_are_dashed_and_thresholds_are_coloured() -> None:
    """A limit must not look like a measurement."""
    drawn = lines("x", "t", "s", {"tolerated": "up"}, defaults={"min": None})
    (panel,) = panels(dashboard("u", "t", "d", (), [PanelRow("a", [drawn])]))
    assert "tolerated" in {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
    assert (panel["fieldConfig"]["defaults"]["unit"], panel["fieldConfig"]["defaults"]["min"]) == ("s", None)
    (stat,) = panels(dashboard("u", "t", "d", (), [PanelRow("a", [single_value("x", "t", "up", {1: "red"})])]))
    steps = stat["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert steps == [{"value": None, "color": "green"}, {"value": 1, "color": "red"}]


@pytest.mark.parametrize(
    ("panel", "kind"),
    [
        (table("x", "t", [Query("up", table=True)], []), "table"),
        (timeline("x", "t", ONE, {0: ("no", "green"), 1: ("yes", "red")}), "state-timeline"),
        (heat_map("x", "t", ONE, {1: "red"}), "status-history"),
    ],
)
def test_panel_types_are_grafanas(panel: Panel, kind: str) -> None:
    """Tables query current values, the others a range."""
    (made,) = panels(dashboard("u", "t", "d", (), [PanelRow("a", [panel])]))
    assert made["type"] == kind
    assert made["targets"][0].get("format") == ("table" if kind == "table" else None)
    assert bool(made["targets"][0]["range"]) == (kind != "table")


def test_values_of_a_timeline_have_names_and_colours() -> None:
    """The values 0 and 1 are not readable."""
    made = timeline("x", "t", ONE, {0: ("compressed", "green"), 1: ("baseline", "orange")})
    assert made.defaults["mappings"][0]["options"]["1"] == {"text": "baseline", "color": "orange"}


def test_heat_map_limits_its_points() -> None:
    """Grafana refuses more points than half of the panel's pixels, and a panel may be 300 wide."""
    points = heat_map("x", "t", ONE, {1: "red"}).points
    assert points is not None
    assert points <= 150


@pytest.mark.parametrize(
    ("look", "changed"),
    [
        (LineStyle.QUIET, {"axisSoftMax": 1}),
        (LineStyle.MANY, {"fillOpacity": 0}),
        (LineStyle.EVENTS, {"drawStyle": "bars", "fillOpacity": 100}),
    ],
)
def test_line_styles_fit_the_data(look: LineStyle, changed: dict[str, object]) -> None:
    """Zero is not full scale, many series are listed by size, events are bars."""
    usual, drawn = (lines("x", "t", "s", {"up": "up"}, one) for one in (LineStyle.USUAL, look))
    assert drawn.defaults["custom"] == usual.defaults["custom"] | changed
    assert ("sortBy" in drawn.options["legend"]) == (look is LineStyle.MANY)
    assert (drawn.points is not None) == (look is LineStyle.EVENTS)


def test_roles_have_their_words_and_colours() -> None:
    """Both models always look the same, named by their label or in words."""
    properties = {
        one["matcher"]["options"]: {each["id"]: each["value"] for each in one["properties"]}
        for one in lines("x", "t", "s", {"up": "up"}).overrides
    }
    for role, words, colour in (("baseline", "full model", "orange"), ("compressed", "small model", "green")):
        assert properties[role] == {"displayName": words, "color": {"mode": "fixed", "fixedColor": colour}}
        assert properties[words] == {"color": {"mode": "fixed", "fixedColor": colour}}
    (mapping,) = (one["value"] for one in role_column("Model", 9)["properties"] if one["id"] == "mappings")
    assert mapping[0]["options"]["compressed"] == {"text": "small model"}


def test_lines_of_an_interval_are_thin_and_given_colours_are_taken() -> None:
    """Both ends look the same."""
    overrides = {
        one["matcher"]["options"]: {each["id"]: each["value"] for each in one["properties"]}
        for one in lines("x", "t", "s", {"a": "up"}, colours={"a": "purple"}).overrides
    }
    assert overrides["at least"] == overrides["at most"]
    assert overrides["at least"]["custom.fillOpacity"] == 0
    assert overrides["a"]["color"] == {"mode": "fixed", "fixedColor": "purple"}
    assert "color" not in overrides["/, by chance$/"]


def test_table_is_sorted_by_the_named_column() -> None:
    """Cells are coloured from a value on."""
    made = table("x", "t", [ONE], [], sort="Harm")
    assert made.options["sortBy"] == [{"displayName": "Harm", "desc": True}]
    assert "sortBy" not in table("x", "t", [ONE], []).options
    assert made.overrides[0]["properties"] == [{"id": "noValue", "value": "\u2013"}], "a sentence in each empty cell"
    assert [step["color"] for step in coloured_cells({1: "red"})["thresholds"]["steps"]] == ["transparent", "red"]
