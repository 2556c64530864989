"""The plan with added scopes: their shares, which scopes fit, and the rows that are in them."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.found_groups import HALF, SCOPES, THREES, searched_plan, searched_rows
from tightrope.monitors.added_scopes.added_scope import ColumnRange
from tightrope.monitors.catalogue import ADDED_SHARE, MAX_ADDED, SUBGROUP_SHARE
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.watched_groups.plans import fitted_rows, with_added


def test_added_scopes_have_their_share_of_the_reserve_and_take_nothing_from_others() -> None:
    """Each has the same; the shares of all other scopes are those of the plan without them."""
    plan = searched_plan()
    many = [replace(THREES, scope=f"s={number}") for number in range(MAX_ADDED)]
    after = with_added(plan, many)
    shares = sum(len(rule.variants) * rule.shares[1:].sum() for rule in after.rules)
    assert shares == pytest.approx(SUBGROUP_SHARE + MAX_ADDED * ADDED_SHARE)
    for rule, extended in zip(plan.rules, after.rules, strict=True):
        assert extended.shares[: len(rule.shares)].tolist() == rule.shares.tolist()
        assert extended.limits[: len(rule.limits)].tolist() == rule.limits.tolist()
    (disagreement,) = (rule for rule in after.rules if rule.monitor.name == "disagreement")
    assert disagreement.limits[-1] == disagreement.limits[1]


def test_gateways_need_not_know_of_added_scopes() -> None:
    """Their rows are covered, as are those that have the added scopes already."""
    plan, rows = searched_plan(), searched_rows(0, rows=9)
    after = with_added(plan, [THREES, HALF])
    assert (after.coverage, after.digest, after.declared) == (plan.coverage, plan.digest, SCOPES)
    assert after.covers(fitted_rows(after, rows, new=True))
    assert with_added(after, [THREES, HALF]) is after
    assert with_added(after, []) is plan


def test_new_rows_are_in_a_scope_by_their_values_and_earlier_ones_are_not() -> None:
    """Rows that have a scope already keep it; a scope that is gone is left out."""
    plan, rows = searched_plan(), searched_rows(0, rows=500)
    after = with_added(plan, [THREES, HALF])
    threes, half = fitted_rows(after, rows, new=True).member[:, 2:].T
    assert threes.tolist() == (rows.features[:, 0] == 3).tolist()
    assert half.tolist() == ((rows.features[:, 1] == 2) & rows.member[:, 0]).tolist()
    assert not fitted_rows(after, rows, new=False).member[:, 2:].any()
    alone = with_added(plan, [HALF])
    moved = fitted_rows(alone, fitted_rows(after, rows, new=True), new=False)
    assert (moved.scopes, moved.member[:, 2].tolist()) == ((*SCOPES, HALF.scope), half.tolist())
    assert not fitted_rows(after, replace(rows, features=rows.features[:, :0]), new=True).member[:, 2].any()


def test_scope_without_its_columns_or_subgroups_is_left_out() -> None:
    """And one that the configuration declares itself."""
    plan = searched_plan()
    assert plan.search is not None
    columns = InputColumn("x", 0, "", searched=False), InputColumn("x", 1, "")
    assert with_added(replace(plan, search=replace(plan.search, columns=columns)), [THREES, HALF]).added == (HALF,)
    assert with_added(replace(plan, search=None), [THREES]).added == ()
    assert with_added(plan, [replace(HALF, within=("age=old",))]).added == ()
    assert with_added(plan, [replace(THREES, scope=SCOPES[0])]).added == ()
    assert with_added(plan, [replace(THREES, ranges=(ColumnRange("y", 0, 3.0, 3.0),))]).added == ()


def test_rates_of_added_scopes_are_the_model_s() -> None:
    """They have no floor of sampling."""
    plan = replace(searched_plan(), rates=np.array([0.25, 0.5, 0.25]))
    assert with_added(plan, [THREES]).rates.tolist() == [0.25, 0.5, 0.25, 0.25]
