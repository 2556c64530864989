"""The configuration of a qualification."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tightrope.service.config.qualification import ProvenLimit, QualificationSection


def section(**written: object) -> QualificationSection:
    """A section as written."""
    return QualificationSection.model_validate(written)


def test_limit_is_a_number_or_says_what_must_be_shown() -> None:
    """Both forms may stand in one criterion."""
    limits = {"model": 0.07, "subgroups": {"limit": 0.1, "proof": "not_over"}}
    criterion = section(criteria={"accuracy": limits}).criteria["accuracy"]
    assert criterion.model == 0.07
    assert criterion.subgroups == ProvenLimit(limit=0.1, proof="not_over")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"criteria": {"disagreement": {}}}, "needs a limit"),
        ({"criteria": {"disagreement": {"model": 2}}}, "less than 1"),
        ({"approvals": {"owner": 1}}, "approvals.owner has no keys; add keys.owner"),
        ({"keys": {"owner": ["a.pub"]}, "approvals": {"owner": 2}}, "approvals.owner is 2, but keys.owner has 1"),
        ({"scenarios": {"shake": {0: 1.0}}}, "shake"),
    ],
)
def test_mistakes_are_named(written: dict[str, object], told: str) -> None:
    """In words that say what would be right."""
    with pytest.raises(ValidationError, match=told):
        section(**written)


@pytest.mark.parametrize(
    ("written", "required"),
    [
        ({}, False),
        ({"file": "x"}, True),
        ({"keys": {"owner": ["a.pub"]}}, True),
        ({"file": "x", "require": False}, False),
    ],
)
def test_file_or_keys_make_it_required(written: dict[str, object], *, required: bool) -> None:
    """Unless it is written otherwise; the resolved section keeps what was found."""
    assert section(**written).is_required is required
    assert section(**written).resolved(Path("/etc"), Path("/etc/small.onnx")).is_required is required


def test_bundle_stands_beside_the_compressed_model() -> None:
    """If no file is written; keys are relative to the configuration."""
    resolved = section(keys={"owner": ["a.pub"]}).resolved(Path("/etc"), Path("/models/small.onnx"))
    assert resolved.file == Path("/models/small.onnx.intoto.jsonl")
    assert resolved.keys == {"owner": [Path("/etc/a.pub")]}
    assert section(file="x.jsonl").resolved(Path("/etc"), Path("/models/small.onnx")).file == Path("/etc/x.jsonl")


def test_each_role_with_keys_needs_one_approval() -> None:
    """Unless more are written."""
    keys = {"owner": ["a.pub", "b.pub"], "reviewer": ["c.pub"]}
    assert section(keys=keys, approvals={"owner": 2}).needed_approvals == {"owner": 2, "reviewer": 1}
