from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.statements import sample_cell, statement_document
from tightrope.service.statements.bundle import encode_statement
from tightrope.service.statements.qualification import LimitRecord, QualificationStatement


def test_statement_is_read_and_written_alike() -> None:
    """The writer's bytes are those that a reader of them would write."""
    statement = msgspec.convert(statement_document(), QualificationStatement)
    assert statement.predicate.criteria["disagreement"].subgroups == 0.1
    assert statement.predicate.criteria["accuracy"].subgroups == LimitRecord(limit=0.1, proof="not_over")
    payload = encode_statement(statement)
    assert msgspec.json.decode(payload, type=QualificationStatement) == statement
    assert payload == encode_statement(msgspec.json.decode(payload, type=QualificationStatement))


def test_payload_has_the_names_of_in_toto() -> None:
    """Other readers of attestations find the fields by these names."""
    payload = msgspec.json.decode(encode_statement(msgspec.convert(statement_document(), QualificationStatement)))
    assert {*payload} == {"_type", "subject", "predicateType", "predicate"}


def paths(document: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """The path of each map in a document."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    own = [prefix] if isinstance(document, dict) else []
    return own + [
        path for key, value in items if isinstance(value, dict | list) for path in paths(value, (*prefix, key))
    ]


FREE = ("subgroups", "energy", "criteria")
STRICT = [path for path in paths(statement_document()) if not any(free in path for free in FREE)]


@pytest.mark.parametrize("path", STRICT, ids=lambda path: ".".join(map(str, path)) or "statement")
def test_unknown_field_is_refused(path: tuple[Any, ...]) -> None:
    """A later version may say there what this one does not understand."""
    document = statement_document()
    inner = document
    for key in path:
        inner = inner[key]
    inner["unheard_of"] = 1
    with pytest.raises(msgspec.ValidationError, match="unheard_of"):
        msgspec.convert(document, QualificationStatement)


def test_unknown_field_of_a_criterion_is_refused() -> None:
    """Its name is free, its fields are not."""
    document = statement_document()
    document["predicate"]["criteria"]["disagreement"]["unheard_of"] = 1
    with pytest.raises(msgspec.ValidationError, match="unheard_of"):
        msgspec.convert(document, QualificationStatement)


@pytest.mark.parametrize(
    ("key", "value"),
    [("verdict", "fine"), ("covers", 1.1), ("covers", -0.1), ("withheld", None), ("cells", [{}]), ("seed", 0.5)],
)
def test_result_out_of_its_range_is_refused(key: str, value: object) -> None:
    """No verdict, share or cell but the known ones."""
    document = statement_document()
    document["predicate"]["result"][key] = value
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(document, QualificationStatement)


def test_time_without_a_zone_is_refused() -> None:
    """Its end would depend on the reader's place."""
    document = statement_document()
    document["predicate"]["made"]["expires"] = "2027-05-27T17:00:00"
    with pytest.raises(msgspec.ValidationError, match="timezone"):
        msgspec.convert(document, QualificationStatement)


@given(st.text(max_size=20), st.text(max_size=20))
def test_cell_is_named_by_criterion_and_scope(criterion: str, scope: str) -> None:
    """Approvals accept it under this name."""
    assert sample_cell(criterion=criterion, scope=scope).key == f"{criterion}:{scope}"
