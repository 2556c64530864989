"""A qualification that ends soon is told beforehand; `test_overview.py` shows whole models."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tightrope.monitors.status.groups import GroupStatus
from tightrope.monitors.verdict import Interval
from tightrope.service.api.overview.models import _expiry_words, _found_entry, _qualification

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def source(expires: datetime | None, *, objections: tuple[str, ...] = ()) -> Any:  # noqa: ANN401 - a part of a source
    """Return a model whose statement ends at this time."""
    predicate = SimpleNamespace(made=SimpleNamespace(expires=expires)) if expires else None
    found = SimpleNamespace(
        predicate=predicate, objections=objections, withheld=("a=b",), verdict="unqualified" if objections else "pass",
        digest="d",
    )  # fmt: skip
    router = SimpleNamespace(unqualified=lambda _: "; ".join(objections))
    return SimpleNamespace(name="m", pair=SimpleNamespace(qualification=found), engine=SimpleNamespace(router=router))


@pytest.mark.parametrize(
    ("days", "words"),
    [(15, ""), (13, "ends on 2026-12-13"), (0, "has ended on 2026-11-30"), (-2, "has ended on 2026-11-28")],
)
def test_end_of_a_qualification_is_told_two_weeks_ahead(days: int, words: str) -> None:
    """And once it is over."""
    assert _expiry_words(source(NOW + timedelta(days=days)), NOW.timestamp()) == words


def test_qualification_is_told_in_words() -> None:
    """With its end and what it does not prove, or with what speaks against it."""
    sound = _qualification(source(NOW))
    assert sound is not None
    assert sound["says"] == "Pass until 2026-11-30; not proved for 1 groups"
    refused = _qualification(source(None, objections=("no statement is about these files",)))
    assert refused is not None
    assert refused["says"] == "Not qualified: no statement is about these files"


def test_found_group_is_told_with_its_range_and_its_declaration() -> None:
    """One that cannot be a scope has none."""
    now = Interval(mean=0.64, lower=0.33, upper=0.89, rows=28)
    found = GroupStatus(1, "residence: group quarters", "64 in 100 differ", now, 0.1, 0.06, 384, 5.0, 60, 0.0, "")
    entry = _found_entry(found)
    assert (entry["title"], entry["says"], entry["range"]) == (found.words, found.text, [0.33, 0.89])
    assert (entry["scope"], entry["declared"], entry["declare"]) == (None, False, None)
