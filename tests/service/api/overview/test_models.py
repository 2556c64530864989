"""A qualification that ends soon is told beforehand; `test_overview.py` shows whole models."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tightrope.service.api.overview.models import _expiry_words, _qualification

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
