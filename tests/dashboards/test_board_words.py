"""The dashboards as people see them: plain words, units in words, a text in each empty panel, no colour twice."""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from tests.support.observability.dashboard_queries import Json, panels
from tightrope.dashboards.boards import boards
from tightrope.dashboards.grid import dashboard
from tightrope.dashboards.mode import EVENT_WORDS
from tightrope.dashboards.panels import INTERVAL_LINES, LIMIT_COLOUR, ROLE_NAMES, PanelRow, lines
from tightrope.monitors.safemode import Input

BOARDS = boards()
PANELS = {f"{uid}/{panel['title']}": panel for uid, board in BOARDS.items() for panel in panels(board)}

FORBIDDEN = (
    r"(?i)e-value|latched|scopes?\b|breach|safe mode|\bbaseline|\bcompressed|\bdrift|\bdwell|\bepoch|\bshadow|10\^"
)
"""Words of the program, which no title, description, column or line has."""

UNITS = {"short", "s", "bytes", "percentunit", "string"}
UNITS |= {f"suffix:{one}" for one in ("rows/s", "requests/s", "runs/s", "records/s", "events/s", "cores")}

SAME = [{*INTERVAL_LINES}, {"baseline", "full model"}, {"compressed", "small model"}, {"tolerated", "alarm"}]
SAME += [{"tolerated", "full model alone"}, {"alarm", "full model alone"}]
"""Names of lines that mean the same, or never stand in one panel."""


def texts(panel: Json) -> Iterator[str]:
    """Everything of a panel that people read, and that is not a value of a label."""
    yield from (panel["title"], panel["description"], panel["fieldConfig"]["defaults"].get("noValue", ""))
    for target in panel["targets"]:
        yield re.sub(r"{{\w+}}", "", target["legendFormat"])
    for change in panel["transformations"]:
        yield from change["options"].get("renameByName", {}).values()
    for override in panel["fieldConfig"]["overrides"]:
        yield from (one["value"] for one in override["properties"] if one["id"] == "displayName")
    yield from mapped(panel["fieldConfig"])


def mapped(config: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """The words that stand for values."""
    if isinstance(config, dict):
        if isinstance(config.get("text"), str):
            yield config["text"]
        for one in config.values():
            yield from mapped(one)
    elif isinstance(config, list):
        for one in config:
            yield from mapped(one)


VALUES = {"{{role}}": tuple(ROLE_NAMES), "{{input}}": tuple(EVENT_WORDS)}
"""The values of labels that have words of their own, by the names of lines."""


def test_everything_that_can_happen_has_words() -> None:
    """A new input of the table would be shown by its name in the program."""
    assert set(EVENT_WORDS) == set(Input)


def look(panel: Json, legend: str) -> tuple[str, bool] | None:
    """The fixed colour of a line, and whether it is dashed; None where Grafana's palette gives the colour."""
    colour, dashed = None, False
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == legend:
            properties = {one["id"]: one["value"] for one in override["properties"]}
            colour = properties.get("color", {}).get("fixedColor", colour)
            dashed = dashed or "custom.lineStyle" in properties
    return (colour, dashed) if colour else None


@pytest.mark.parametrize("where", PANELS)
def test_panel_speaks_plainly(where: str) -> None:
    """Title, description, columns, lines and the text of an empty panel."""
    for text in texts(PANELS[where]):
        assert not re.search(FORBIDDEN, text), text


@pytest.mark.parametrize("uid", BOARDS)
def test_dashboard_speaks_plainly(uid: str) -> None:
    """Its description, rows, variables and marks."""
    board = BOARDS[uid]
    rows = [panel["title"] for panel in board["panels"] if panel["type"] == "row"]
    marks = [text for one in board["annotations"]["list"] for text in (one["name"], one.get("titleFormat", ""))]
    labels = [one["label"] for one in board["templating"]["list"]]
    for text in (board["description"], *rows, *labels, *(re.sub(r"{{\w+}}", "", mark) for mark in marks)):
        assert not re.search(FORBIDDEN, text), text


@pytest.mark.parametrize("where", PANELS)
def test_panel_has_units_in_words_and_a_text_if_it_is_empty(where: str) -> None:
    """Grafana's "ops" and "No data" say nothing to people."""
    config = PANELS[where]["fieldConfig"]
    assert config["defaults"]["noValue"]
    given = [one["value"] for each in config["overrides"] for one in each["properties"] if one["id"] == "unit"]
    assert {config["defaults"]["unit"], *given} <= UNITS


@pytest.mark.parametrize("where", [where for where, panel in PANELS.items() if panel["type"] == "timeseries"])
def test_no_colour_means_two_things_in_a_panel(where: str) -> None:
    """Fixed colours differ from one another; beside lines of Grafana's palette only dashes have one, which no line of
    the palette has.
    """
    panel = PANELS[where]
    names = [target["legendFormat"] for target in panel["targets"]]
    names = [one for name in names for one in VALUES.get(name, (name,))]
    looks = {name: look(panel, name) for name in names}
    for (one, first), (other, second) in combinations(looks.items(), 2):
        if first and second and {one, other} not in SAME:
            assert first[0] != second[0], (one, other)
    if None in looks.values():
        assert {found[0] for found in looks.values() if found} <= {LIMIT_COLOUR}


@pytest.mark.parametrize("uid", BOARDS)
def test_marks_have_a_colour_of_their_own(uid: str) -> None:
    """An orange mark would look like the full model."""
    fixed = {found[0] for panel in panels(BOARDS[uid]) for target in panel["targets"]
             if (found := look(panel, target["legendFormat"]))}  # fmt: skip
    assert not fixed & {one["iconColor"] for one in BOARDS[uid]["annotations"]["list"]}


def test_a_repeated_colour_is_found() -> None:
    """The test above can fail."""
    twice = lines("x", "t.", "s", {"a": "up", "b": "up"}, colours={"a": "red", "b": "red"})
    mixed = lines("y", "t.", "s", {"a": "up", "b": "up"}, colours={"a": "red"})
    for panel in panels(dashboard("u", "t", "d", (), [PanelRow("r", [twice, mixed])])):
        PANELS["made"] = panel
        with pytest.raises(AssertionError):
            test_no_colour_means_two_things_in_a_panel("made")
    del PANELS["made"]


RATES = {"Answers that differ", "Shift of confidence or value", "Refusals that the small model drops"}


def test_rates_are_shown_with_their_interval() -> None:
    """On the dashboard of the model each rate of a monitor has both ends of its interval, and what is tolerated."""
    for title in (*RATES, "Is the small model surer than it is right?"):
        (panel,) = (p for p in panels(BOARDS["tightrope-model"]) if p["title"] == title and p["type"] == "timeseries")
        assert {target["legendFormat"] for target in panel["targets"]} > {*INTERVAL_LINES, "tolerated"}
    columns = {"tightrope-fleet": "Models", "tightrope-subgroups": "Whom it harms now"}
    for uid, title in columns.items():
        (table,) = (panel for panel in panels(BOARDS[uid]) if panel["title"] == title)
        assert {"At least", "At most"} <= {*texts(table)}
