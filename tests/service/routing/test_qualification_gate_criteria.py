"""A statement by other criteria than the configuration has, or in a file that cannot be read, lets nothing serve."""

from pathlib import Path

import pytest

from tests.service.routing.test_qualification_gate import found, written
from tests.support.qualification_files import CRITERIA, write_statement

ACCURACY = {"model": 0.02, "subgroups": {"limit": 0.1, "proof": "not_over"}}


def test_file_that_cannot_be_looked_at_is_an_objection(tmp_path: Path) -> None:
    """Also where a statement is not required, and without a traceback."""
    path = written(tmp_path, qualification={"file": "a" * 300, "require": False})
    assert found(path).objections == ("cannot be read: File name too long",)


@pytest.mark.parametrize(
    ("asked", "objection"),
    [
        ({"criteria": {"disagreement": {"model": 0.07, "subgroups": 0.1}, "accuracy": ACCURACY}}, ""),
        ({"criteria": {"disagreement": {"model": 0.08}}, "confidence": 0.9}, ""),
        ({"confidence": 0.99}, "has a confidence of 0.95, but the configuration asks for 0.99"),
        ({"criteria": {"brier": {"model": 0.01}}}, "does not judge brier, which is a criterion of the configuration"),
        (
            {"criteria": {"disagreement": {"model": 0.05}}},
            "judges disagreement by model 0.07, but the configuration asks for 0.05; qualify again",
        ),
        (
            {"criteria": {"accuracy": {"subgroups": 0.1}}},
            "judges accuracy by subgroups 0.1 (not_over), but the configuration asks for 0.1; qualify again",
        ),
        (
            {"criteria": {"confident_wrong": {"model": 0.01, "at": 0.8}}},
            "judges confident_wrong by at 0.9, but the configuration asks for 0.8; qualify again",
        ),
        (
            {"criteria": {"file_size": {"ratio": 0.5}}},
            "judges file_size by ratio nothing, but the configuration asks for 0.5; qualify again",
        ),
    ],
)
def test_criteria_of_the_configuration_are_those_that_were_judged(
    tmp_path: Path, asked: dict[str, object], objection: str
) -> None:
    """Or looser ones: a statement by looser criteria proves less than the configuration asks for."""
    path = written(tmp_path, qualification={"require": True, **asked})
    own = {"confident_wrong": {"model": 0.01, "at": 0.9}, "file_size": {"most": 1e6}, "accuracy": ACCURACY}
    write_statement(path, criteria={**CRITERIA, **own})
    assert found(path).objections == ((objection,) if objection else ())
