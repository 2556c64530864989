"""The survey's columns, the subgroups derived from them, and the sampling of rows. Numpy only, no files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SurveyCodes = npt.NDArray[np.int16]
RowNumbers = npt.NDArray[np.intp]

SURVEY_COLUMNS = (
    *("AGEP", "SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG"),
    *("MIL", "ANC", "NATIVITY", "DEAR", "DEYE", "DREM", "SEX", "RAC1P"),
)


@dataclass(frozen=True)
class Attribute:
    """A partition of people by one column: each code belongs to exactly one value.

    Attributes:
        name: name of the attribute, as in a request's tags.
        column: the deciding column, one of `SURVEY_COLUMNS`.
        values: the codes of each value.
    """

    name: str
    column: str
    values: dict[str, range | tuple[int, ...]]

    def values_of(self, codes: SurveyCodes) -> npt.NDArray[np.str_]:
        """The value of each row of codes, int16[n, 16] -> str[n].

        Raises:
            KeyError: for a code that belongs to no value.
        """
        value_of = {code: value for value, members in self.values.items() for code in members}
        return np.array([value_of[code] for code in codes[:, SURVEY_COLUMNS.index(self.column)].tolist()])


def _ages(first: int, last: int) -> range:
    return range(first, last + 1)


# Names follow the code book of the American Community Survey 2015-18. RAC1P 3, 4, 5, 7 and 8 are pooled, because
# a subgroup with a handful of rows in 4,000 shows nothing.
RESIDENCE = Attribute("residence", "RELP", {"household": range(16), "institution": (16,), "group_quarters": (17,)})
ATTRIBUTES = (
    Attribute("sex", "SEX", {"male": (1,), "female": (2,)}),
    Attribute(
        "race",
        "RAC1P",
        {"white": (1,), "black": (2,), "asian": (6,), "other_race": (3, 4, 5, 7, 8), "two_or_more_races": (9,)},
    ),
    Attribute(
        "age_band",
        "AGEP",
        {
            "16_to_19": _ages(16, 19),
            "20_to_24": _ages(20, 24),
            "25_to_34": _ages(25, 34),
            "35_to_44": _ages(35, 44),
            "45_to_54": _ages(45, 54),
            "55_to_64": _ages(55, 64),
            "65_to_74": _ages(65, 74),
            "75_and_over": _ages(75, 99),
        },
    ),
    Attribute("disability", "DIS", {"with_disability": (1,), "no_disability": (2,)}),
    Attribute("nativity", "NATIVITY", {"native": (1,), "foreign_born": (2,)}),
    RESIDENCE,
)


def in_household(codes: SurveyCodes) -> npt.NDArray[np.bool_]:
    """Whether each person lives in a household, not in an institution or group quarters: int16[n, 16] -> bool[n]."""
    return np.asarray(RESIDENCE.values_of(codes) == "household")


@dataclass(frozen=True)
class Draw:
    """Row numbers of each committed table; the tables are disjoint."""

    golden: RowNumbers
    stable: RowNumbers
    drift: RowNumbers


@dataclass(frozen=True)
class Ramp:
    """A share that grows linearly from the first row of the drifting traffic to its last."""

    first: float = 0.08  # about the survey's own share of people outside households
    last: float = 0.36

    def shares(self, rows: int) -> npt.NDArray[np.float64]:
        """The share at each of ``rows`` rows: float64[rows]."""
        return np.linspace(self.first, self.last, rows)


def draw(household: npt.NDArray[np.bool_], rows: RowNumbers, ramp: Ramp, seed: int) -> Draw:
    """Sample the golden rows and the traffic, without replacement.

    Args:
        household: bool[n], whether each person of the survey lives in a household.
        rows: intp[m], the row numbers to draw from.
        ramp: share of people outside households over the drifting traffic; stable traffic keeps the survey's own mix.
        seed: of all random choices.

    Returns:
        4,000 golden rows, 6,000 rows of stable and 6,000 of drifting traffic, in the order of sending.
    """
    random = np.random.default_rng(seed)
    golden, stable, left = np.split(random.permutation(rows), [4_000, 10_000])
    outside = random.random(6_000) < ramp.shares(6_000)
    drift = np.empty(6_000, np.intp)
    drift[outside] = left[~household[left]][: outside.sum()]
    drift[~outside] = left[household[left]][: (~outside).sum()]
    return Draw(golden, stable, drift)
