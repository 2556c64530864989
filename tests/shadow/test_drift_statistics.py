import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from tests.support.judgement.compared_rows import table
from tightrope.monitors.records import Role
from tightrope.shadow.drift_statistics import (
    INPUTS,
    LARGE_DRIFT_PSI,
    MIN_DRIFT_PSI,
    MIN_ROWS_PER_SIDE,
    OUTCOMES,
    PAIR,
    QUANTILE_BINS,
    Column,
    TooFewRowsError,
    chi_squared,
    column_drift,
    require_rows,
    scope_drifts,
)

rng = np.random.default_rng(7)
WORDS = np.array([f"word {i}" for i in range(40)])


def many(kind: str, rows: int) -> Column:
    """Sample rows of one kind of column, all from one distribution."""
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
def test_quantile_is_that_of_chi_squared(degrees: int) -> None:
    """The approximation stays within 3.1 % from one degree of freedom on."""
    assert chi_squared(degrees) == pytest.approx(stats.chi2.ppf(0.999, degrees), rel=0.031)


@pytest.mark.parametrize(
    "kind", ["normal", "few values", "rare values", "many strings", "half missing", "mostly one value"]
)
def test_psi_of_one_distribution_matches_its_expectation(kind: str) -> None:
    """The mean is (B - 1)(1/n + 1/m), also for data-driven bins; the alarm is exceeded once in a thousand times."""
    found = [column_drift(INPUTS, "x", many(kind, 700), many(kind, 2500)) for _ in range(300)]
    psi, expected = (np.array([getattr(one, name) for one in found], float) for name in ("psi", "expected"))
    assert psi.mean() == pytest.approx(expected.mean(), rel=0.15)
    assert sum(one.psi > one.alarm for one in found if one.psi and one.alarm) <= 5
    assert sum(one.drifted for one in found) <= 2


def test_psi_of_two_shares_follows_the_formula() -> None:
    """Half a row is added to each of the two bins."""
    reference, window = np.repeat([0.0, 1.0], [600, 400]), np.repeat([0.0, 1.0], [400, 600])
    p, q = np.array([600.5, 400.5]) / 1001, np.array([400.5, 600.5]) / 1001
    found = column_drift(INPUTS, "x", reference, window)
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
def test_changed_column_has_drifted(reference: Column, window: Column) -> None:
    """Shifted, no longer constant, now constant, missing, infinite, with a new word, without words, with a new code."""
    assert column_drift(INPUTS, "x", reference, window).drifted


@pytest.mark.parametrize(
    "column", [np.zeros(1000), np.full(1000, np.nan), np.full(1000, "a"), np.full(1000, ""), np.full(1000, 1e308)]
)
def test_constant_column_is_not_tested(column: Column) -> None:
    """A PSI of 0 would only dilute the share of drifted columns."""
    found = column_drift(INPUTS, "x", column, column)
    assert (found.psi, found.note, found.drifted) == (None, "constant", False)


def test_change_below_the_minimum_psi_is_no_drift() -> None:
    """With many rows even a tiny change exceeds chance; it is reported but does not count as drift."""
    found = column_drift(INPUTS, "x", rng.normal(size=100_000), rng.normal(0.1, 1.0, 100_000))
    assert found.psi is not None
    assert found.alarm is not None
    assert found.alarm < found.psi < MIN_DRIFT_PSI
    assert not found.drifted


@pytest.mark.parametrize(("rows", "bins"), [(200, QUANTILE_BINS), (340, 20), (80, 2), (0, 2)])
def test_column_with_too_few_rows_is_not_tested(rows: int, bins: int) -> None:
    """Where chance alone may reach a large drift, the note gives the smallest sufficient number of rows."""
    column = np.arange(1000) % float(bins)
    found = column_drift(INPUTS, "x", column[:rows], column[:rows])
    if not rows:
        found = column_drift(INPUTS, "x", column, column[:0])
    needed = int(found.note.split()[3])
    assert found.psi is None
    assert 2 / needed * chi_squared(bins - 1) <= LARGE_DRIFT_PSI < 2 / (needed - 1) * chi_squared(bins - 1)
    assert column_drift(INPUTS, "x", column[:needed], column[:needed]).psi == 0.0


def test_few_rows_are_refused() -> None:
    """The limit applies to either side; with exactly the minimum there is a report."""
    require_rows(MIN_ROWS_PER_SIDE, MIN_ROWS_PER_SIDE)
    with pytest.raises(
        TooFewRowsError, match=f"{MIN_ROWS_PER_SIDE - 1} reference rows and 9999 newer ones.*{MIN_ROWS_PER_SIDE}"
    ):
        require_rows(MIN_ROWS_PER_SIDE - 1, 9999)
    with pytest.raises(TooFewRowsError, match="5000 reference rows and 0 newer ones"):
        require_rows(5000, 0)


def half(rows: int) -> npt.NDArray[np.bool_]:
    """Every second row."""
    return np.arange(rows) % 2 == 0


def test_scope_is_described_by_its_own_rows() -> None:
    """Rows, disagreement, confidence and drift are per subgroup; the model as a whole comes first."""
    moved = np.where(half(1000), 3.0, 0.0)
    reference = table({"x": rng.normal(size=1000)}, member={"g=a": half(1000), "g=b": ~half(1000)}, disagree=0.0,
                      confidence_baseline=0.9, confidence_compressed=0.8)  # fmt: skip
    window = table({"x": rng.normal(size=1000) + moved}, member={"g=a": half(1000), "g=b": ~half(1000)},
                   disagree=half(1000), confidence_baseline=0.9, confidence_compressed=0.7)  # fmt: skip
    model, a, b = scope_drifts(reference, window)
    assert [drift.scope for drift in (model, a, b)] == ["model", "g=a", "g=b"]
    assert [drift.rows["window"] for drift in (model, a, b)] == [1000, 500, 500]
    assert [drift.disagreement["window"] for drift in (model, a, b)] == [0.5, 1.0, 0.0]
    assert [drift.drifted_share(INPUTS) for drift in (a, b)] == [1.0, 0.0]
    assert a.confidence_shift(Role.COMPRESSED) == pytest.approx(-0.1)
    assert a.confidence_shift(Role.BASELINE) == pytest.approx(0.0)


def test_rows_with_a_fault_are_left_out_of_model_statistics() -> None:
    """A row with a fault counts neither for disagreement nor for confidence."""
    window = table({"x": np.zeros(4)}, disagree=[1, 0, 0, 0], fault=[0, 0, 2, 2], confidence_baseline=[1, 0, np.nan, 5])
    (model,) = scope_drifts(window, window)
    assert (model.disagreement["window"], model.confidence["window"][Role.BASELINE]) == (0.5, 0.5)


def test_subgroup_without_rows_has_no_statistics() -> None:
    """None stands for it, never 0; likewise for a subgroup that is unknown to the reference."""
    window = table({"x": rng.normal(size=1000)}, member={"g=none": np.zeros(1000), "g=new": np.ones(1000)})
    _, none, new = scope_drifts(table({"x": rng.normal(size=1000)}), window)
    assert none.to_json()["disagreement"] == {"reference": None, "window": None}
    assert none.drifted_share(INPUTS) is None
    assert new.rows == {"reference": 0, "window": 1000}
    assert (new.drifted_share(INPUTS), new.confidence_shift(Role.BASELINE)) == (None, None)


def test_compressed_model_is_compared_with_the_baseline_on_the_newest_rows() -> None:
    """Each model is also compared with its own reference."""
    n, sure = 2000, {"confidence_baseline": rng.beta(5, 2, 2000), "confidence_compressed": rng.beta(5, 2, 2000)}
    then = table({"x": rng.normal(size=n)}, **sure)
    now = table({"x": rng.normal(size=n)}, **{**sure, "confidence_compressed": rng.beta(2, 2, n)})
    (model,) = scope_drifts(then, now)
    drifted = {(one.kind, one.column) for one in model.drifts if one.drifted}
    assert drifted == {(OUTCOMES, "confidence_compressed"), (PAIR, "confidence")}


def test_classes_are_categories_at_any_number() -> None:
    """Class 7 is not between 6 and 8, so class ids are never binned as quantiles."""
    then, now = rng.integers(0, 1000, 5000).astype(float), rng.integers(0, 1000, 5000).astype(float)
    swapped = np.where(then == 7.0, 8.0, then)
    found = column_drift(OUTCOMES, "prediction_baseline", then, swapped)
    assert found.psi is not None
    assert found.psi < MIN_DRIFT_PSI
    common = np.where(half(5000), 500.0, now)
    assert column_drift(OUTCOMES, "prediction_baseline", then, common).drifted


def test_column_missing_from_the_reference_has_drifted() -> None:
    """This holds also for a column that changed from numbers to strings."""
    then = table({"old": rng.normal(size=500), "code": np.arange(500) % 2.0})
    now = table({"new": rng.normal(size=500), "code": np.where(half(500), "a", "b")})
    (model,) = scope_drifts(then, now)
    assert {one.column: one.drifted for one in model.drifts if one.kind == INPUTS} == {"new": True, "code": True}
