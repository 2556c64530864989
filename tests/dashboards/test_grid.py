"""The builder gives panels positions and ids, and omits none."""

from itertools import product

import pytest

from tightrope.dashboards.grid import dashboard, variable
from tightrope.dashboards.panels import GRID_COLUMNS, Panel, PanelRow, Query

ONE = Query("up", "{{job}}")


@pytest.mark.parametrize("heights", [range(4, 9), range(8, 3, -1)])
def test_panels_stand_side_by_side_and_wrap(heights: range) -> None:
    """Panels do not overlap, and ids are unique; a folded row takes only its heading."""
    wide = [Panel("stat", str(n), "t", [ONE], width=10, height=n) for n in heights]
    board = dashboard(
        "u", "t", "d", (), [PanelRow("a", wide), PanelRow("b", wide[:1], folded=True), PanelRow("c", wide[:2])]
    )
    assert [len(p.get("panels", ())) for p in board["panels"] if p["type"] == "row"] == [0, 1, 0]
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        across, down = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells = set(product(across, down))
        assert max(x for x, _ in cells) < GRID_COLUMNS
        assert not cells & taken
        taken |= cells
    assert {y for _, y in taken} == set(range(max(y for _, y in taken) + 1)), "there is a gap between two rows"
    numbers = [p["id"] for p in board["panels"]] + [p["id"] for row in board["panels"] for p in row.get("panels", ())]
    assert len(set(numbers)) == len(numbers)


def test_points_are_limited_if_the_panel_has_a_limit() -> None:
    """Otherwise Grafana asks for one point per pixel."""
    some, all_ = Panel("x", "t", "t", [ONE], points=7), Panel("x", "t", "t", [ONE])
    _, few, many = dashboard("u", "t", "d", (), [PanelRow("a", [some, all_])])["panels"]
    assert few["maxDataPoints"] == 7
    assert "maxDataPoints" not in many


def test_variable_may_take_several_values() -> None:
    """Such a variable starts with all values; others have no choice "All"."""
    assert variable("m", "M", "label_values(up, m)", several=True)["allValue"] == ".*"
    assert not variable("m", "M", "label_values(up, m)")["includeAll"]
