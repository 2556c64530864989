"""The vector of a row, and the words for a slice."""

import numpy as np
import pytest

from tightrope.monitors.hunter.columns import InputColumn, Layout, Predicate, features_of
from tightrope.monitors.records import Comparisons

CODED = InputColumn("x", 3, "residence", {17.0: "group quarters"}, is_titled=True)
LAYOUT = Layout((InputColumn("x", 0, "column 0"), CODED), ("sex=f", "sex=m", "age=old"))


def test_vector_has_inputs_answer_and_subgroups() -> None:
    """A class that is not known is in no predicate."""
    rows = Comparisons.from_columns(
        2,
        features=[[5, 17], [6, 16]],
        top_compressed=[1, -1],
        confidence_compressed=[0.7, 0.8],
        scopes=LAYOUT.scopes,
        member=[[True, False, False], [False, True, True]],
    )
    assert LAYOUT.vectors(rows) == pytest.approx(
        np.array([[5, 17, 1, 0.7, 1, 0, 0], [6, 16, np.nan, 0.8, 0, 1, 1]]), nan_ok=True
    )


def test_record_without_features_has_unknown_inputs() -> None:
    """A worker of the release before does not send them."""
    rows = Comparisons.from_columns(1, scopes=LAYOUT.scopes, member=[[True, False, False]])
    assert np.isnan(LAYOUT.vectors(rows)[0, :2]).all()


def test_values_of_one_attribute_share_it() -> None:
    """Predicates of one attribute are never combined."""
    assert LAYOUT.attributes.tolist() == [0, 1, 2, 3, 4, 4, 6]


@pytest.mark.parametrize(
    ("predicate", "words"),
    [
        ((1, 17.0, 17.0), "residence: group quarters"),
        ((1, 16.0, 16.0), "residence = 16"),
        ((0, 17.0, 17.0), "column 0 = 17"),
        ((0, -np.inf, 24.0), "column 0 at most 24"),
        ((0, float(np.nextafter(-24.5, np.inf)), np.inf), "column 0 above -24.5"),
        ((2, 1.0, 1.0), "the compressed model says class 1"),
        ((3, 0.0, float(np.nextafter(0.6, 0))), "confidence below 0.6"),
        ((3, 0.6, float(np.nextafter(0.75, 0))), "confidence from 0.6 to 0.75"),
        ((3, 0.9, 1.0), "confidence from 0.9"),
        ((4, 1.0, 1.0), "sex: f"),
    ],
)
def test_predicate_has_words(predicate: Predicate, words: str) -> None:
    """Titles and code books where they are written, else the number of the column."""
    assert LAYOUT.words([predicate]) == words


def test_words_of_the_answer_stand_last() -> None:
    """People look for the group first."""
    words = LAYOUT.words([(2, 1.0, 1.0), (1, 17.0, 17.0)])
    assert words == "residence: group quarters and the compressed model says class 1"


def test_column_that_is_not_searched_leaves_no_value() -> None:
    """Its place stays, so that records of both settings fit each other."""
    columns = InputColumn("x", 0, "column 0", searched=False), InputColumn("y", 0, "y, column 0")
    features = features_of(columns, {"x": np.array([[1.0, 2.0]]), "y": np.array([7])}, 1)
    assert np.isnan(features[0, 0])
    assert features[0, 1] == 7
