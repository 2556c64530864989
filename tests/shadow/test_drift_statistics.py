import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from tests.support.judgement.compared_rows import table
from tightrope.monitors.records import Role
from tightrope.shadow.drift_statistics import (
    BINS,
    CUSTOMARY,
    INPUTS,
    LARGE,
    LEAST_ROWS,
    OUTCOMES,
    PAIR,
    Column,
    TooFewRowsError,
    chi_squared,
    drift,
    insist_on_rows,
    standings,
)

rng = np.random.default_rng(7)
WORDS = np.array([f"word {i}" for i in range(40)])


def many(kind: str, rows: int) -> Column:
    """Rows of a kind of column, all of one distribution."""
    columns: dict[str, Column] = {
        "normal": rng.normal(size=rows),
        "few values": rng.integers(0, 5, rows).astype(float),
        "rare values": np.minimum(rng.geometric(0.4, rows), 15).astype(float),
        "many strings": rng.choice(WORDS, rows),
        "half missing": np.where(rng.random(rows) < 0.5, np.nan, rng.normal(size=rows)),
        "mostly one value": np.where(rng.random(rows) < 0.9, 0.0, rng.normal(size=rows)),
    }
    return columns[kind]


@pytest.mark.parametrize("degrees", range(1, 40))
def test_the_quantile_is_that_of_chi_squared(degrees: int) -> None:
    """Within 3.1 %, from one degree of freedom on."""
    assert chi_squared(degrees) == pytest.approx(stats.chi2.ppf(0.999, degrees), rel=0.031)


@pytest.mark.parametrize(
    "kind", ["normal", "few values", "rare values", "many strings", "half missing", "mostly one value"]
)
def test_psi_of_one_distribution_is_what_chance_alone_gives(kind: str) -> None:
    """On average (B - 1)(1/n + 1/m), also for bins that had to be chosen; beyond the alarm once in a thousand times."""
    found = [drift(INPUTS, "x", many(kind, 700), many(kind, 2500)) for _ in range(300)]
    psi, expected = (np.array([getattr(one, name) for one in found], float) for name in ("psi", "expected"))
    assert psi.mean() == pytest.approx(expected.mean(), rel=0.15)
    assert sum(one.psi > one.alarm for one in found if one.psi and one.alarm) <= 5
    assert sum(one.drifted for one in found) <= 2


def test_psi_of_two_shares_is_the_formula_s() -> None:
    """Half a row is added to each of the two bins."""
    reference, window = np.repeat([0.0, 1.0], [600, 400]), np.repeat([0.0, 1.0], [400, 600])
    p, q = np.array([600.5, 400.5]) / 1001, np.array([400.5, 600.5]) / 1001
    found = drift(INPUTS, "x", reference, window)
    assert found.psi == pytest.approx(((q - p) * np.log(q / p)).sum())
    assert found.expected == pytest.approx(1 / 1000 + 1 / 1000)
    assert found.drifted


@pytest.mark.parametrize(
    ("reference", "window"),
    [
        (rng.normal(size=1000), rng.normal(1.0, 1.0, 1000)),
        (np.zeros(1000), rng.normal(size=1000)),
        (rng.normal(size=1000), np.zeros(1000)),
        (rng.normal(size=1000), np.full(1000, np.nan)),
        (rng.normal(size=1000), np.where(np.arange(1000) % 4 == 0, np.inf, rng.normal(size=1000))),
        (np.full(1000, "a"), np.where(np.arange(1000) % 3 == 0, "b", "a")),
        (np.full(1000, "a"), np.full(1000, "")),
        (np.arange(1000) % 2.0, np.arange(1000) % 3.0),
    ],
)  # fmt: skip
def test_a_column_that_changed_has_drifted(reference: Column, window: Column) -> None:
    """Shifted, no longer constant, constant now, gone missing, infinite, another or no word, a new code."""
    assert drift(INPUTS, "x", reference, window).drifted


@pytest.mark.parametrize(
    "column", [np.zeros(1000), np.full(1000, np.nan), np.full(1000, "a"), np.full(1000, ""), np.full(1000, 1e308)]
)
def test_a_constant_column_is_not_tested(column: Column) -> None:
    """There is nothing that could have moved: a PSI of 0 would only dilute the share."""
    found = drift(INPUTS, "x", column, column)
    assert (found.psi, found.note, found.drifted) == (None, "constant", False)


def test_a_change_smaller_than_custom_tolerates_is_no_drift() -> None:
    """Of many rows even a trifle is beyond chance; it stands in the table, and does not count."""
    found = drift(INPUTS, "x", rng.normal(size=100_000), rng.normal(0.1, 1.0, 100_000))
    assert found.psi is not None
    assert found.alarm is not None
    assert found.alarm < found.psi < CUSTOMARY
    assert not found.drifted


@pytest.mark.parametrize(("rows", "bins"), [(200, BINS), (340, 20), (80, 2), (0, 2)])
def test_a_column_of_too_few_rows_is_not_tested(rows: int, bins: int) -> None:
    """Where chance alone may look like a large drift nothing is said, but how many rows it takes: fewer do not do."""
    column = np.arange(1000) % float(bins)
    found = drift(INPUTS, "x", column[:rows], column[:rows])
    if not rows:
        found = drift(INPUTS, "x", column, column[:0])
    needed = int(found.note.split()[3])
    assert found.psi is None
    assert 2 / needed * chi_squared(bins - 1) <= LARGE < 2 / (needed - 1) * chi_squared(bins - 1)
    assert drift(INPUTS, "x", column[:needed], column[:needed]).psi == 0.0


def test_few_rows_are_refused() -> None:
    """On either side; with as many as are asked for there is a report."""
    insist_on_rows(LEAST_ROWS, LEAST_ROWS)
    with pytest.raises(TooFewRowsError, match=f"{LEAST_ROWS - 1} reference rows and 9999 newer ones.*{LEAST_ROWS}"):
        insist_on_rows(LEAST_ROWS - 1, 9999)
    with pytest.raises(TooFewRowsError, match="5000 reference rows and 0 newer ones"):
        insist_on_rows(5000, 0)


def half(rows: int) -> npt.NDArray[np.bool_]:
    """Every second row."""
    return np.arange(rows) % 2 == 0


def test_a_scope_is_told_of_its_own_rows() -> None:
    """Rows, disagreement, confidence and drift of each subgroup, the model as a whole first."""
    moved = np.where(half(1000), 3.0, 0.0)
    reference = table({"x": rng.normal(size=1000)}, member={"g=a": half(1000), "g=b": ~half(1000)}, disagree=0.0,
                      confidence_baseline=0.9, confidence_compressed=0.8)  # fmt: skip
    window = table({"x": rng.normal(size=1000) + moved}, member={"g=a": half(1000), "g=b": ~half(1000)},
                   disagree=half(1000), confidence_baseline=0.9, confidence_compressed=0.7)  # fmt: skip
    model, a, b = standings(reference, window)
    assert [standing.scope for standing in (model, a, b)] == ["model", "g=a", "g=b"]
    assert [standing.rows["window"] for standing in (model, a, b)] == [1000, 500, 500]
    assert [standing.disagreement["window"] for standing in (model, a, b)] == [0.5, 1.0, 0.0]
    assert [standing.share(INPUTS) for standing in (a, b)] == [1.0, 0.0]
    assert a.shift(Role.COMPRESSED) == pytest.approx(-0.1)
    assert a.shift(Role.BASELINE) == pytest.approx(0.0)


def test_rows_with_a_fault_say_nothing_about_the_models() -> None:
    """Neither do they agree, nor are they sure of anything."""
    window = table({"x": np.zeros(4)}, disagree=[1, 0, 0, 0], fault=[0, 0, 2, 2], confidence_baseline=[1, 0, np.nan, 5])
    (model,) = standings(window, window)
    assert (model.disagreement["window"], model.confidence["window"][Role.BASELINE]) == (0.5, 0.5)


def test_a_subgroup_of_no_rows_has_no_figures() -> None:
    """None, never 0: there was nothing to take a mean of. So has one that the reference does not know."""
    window = table({"x": rng.normal(size=1000)}, member={"g=none": np.zeros(1000), "g=new": np.ones(1000)})
    _, none, new = standings(table({"x": rng.normal(size=1000)}), window)
    assert none.told()["disagreement"] == {"reference": None, "window": None}
    assert none.share(INPUTS) is None
    assert new.rows == {"reference": 0, "window": 1000}
    assert (new.share(INPUTS), new.shift(Role.BASELINE)) == (None, None)


def test_the_compressed_model_is_compared_with_the_baseline_on_the_newest_rows() -> None:
    """And each of the two with what it was then."""
    n, sure = 2000, {"confidence_baseline": rng.beta(5, 2, 2000), "confidence_compressed": rng.beta(5, 2, 2000)}
    then = table({"x": rng.normal(size=n)}, **sure)
    now = table({"x": rng.normal(size=n)}, **{**sure, "confidence_compressed": rng.beta(2, 2, n)})
    (model,) = standings(then, now)
    drifted = {(one.kind, one.column) for one in model.drifts if one.drifted}
    assert drifted == {(OUTCOMES, "confidence_compressed"), (PAIR, "confidence")}


def test_classes_are_categories_however_many_there_are() -> None:
    """Class 7 is not between 6 and 8: only a share that moved counts."""
    then, now = rng.integers(0, 1000, 5000).astype(float), rng.integers(0, 1000, 5000).astype(float)
    swapped = np.where(then == 7.0, 8.0, then)
    found = drift(OUTCOMES, "prediction_baseline", then, swapped)
    assert found.psi is not None
    assert found.psi < CUSTOMARY
    common = np.where(half(5000), 500.0, now)
    assert drift(OUTCOMES, "prediction_baseline", then, common).drifted


def test_a_column_that_the_reference_does_not_have_is_all_new() -> None:
    """So is one that was numbers and is strings now."""
    then = table({"old": rng.normal(size=500), "code": np.arange(500) % 2.0})
    now = table({"new": rng.normal(size=500), "code": np.where(half(500), "a", "b")})
    (model,) = standings(then, now)
    assert {one.column: one.drifted for one in model.drifts if one.kind == INPUTS} == {"new": True, "code": True}
