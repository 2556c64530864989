"""Panels of labels say whose curve they show, and what is missing where there is nothing to show."""

from tightrope.dashboards.labels import LABEL_ROW, RELIABILITY_TABLE, subgroup_reliability


def test_tables_of_curves_have_a_column_that_says_whose() -> None:
    """One line for each model and bin."""
    for panel in (RELIABILITY_TABLE, subgroup_reliability("{}")):
        renamed = panel.transformations[-1]["options"]["renameByName"]
        assert (renamed["role"], renamed["bin"]) == ("Model", "Bin")
        assert all("by (scope, role, bin)" in q.expr or "by (role, bin)" in q.expr for q in panel.queries)
    assert "Value" in subgroup_reliability("{}").transformations[-1]["options"]["renameByName"]


def test_panels_without_data_say_why() -> None:
    """A person sees no empty box."""
    assert all(panel.defaults["noValue"].startswith("There are no labels") for panel in LABEL_ROW.panels)
    assert subgroup_reliability("{}").defaults["noValue"].startswith("There are no labels")
