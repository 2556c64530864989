"""The table "What turns the guard off" names alerts and tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.house.sources import ROOT
from tests.support.observability.alert_rules import alerts

HEADING, COLUMNS = "## What turns the guard off", 4


def rows() -> list[list[str]]:
    """Return the cells of each row of the table, without its head."""
    section = (ROOT / "docs/safe-mode.md").read_text().partition(HEADING)[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines[2:]]


@cache
def functions(path: Path) -> set[str]:
    """Return the names of the functions and methods that a file defines."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


def test_table_has_rows() -> None:
    """An empty table would pass every other test here."""
    assert len(rows()) >= 1


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:60])
def test_row_names_alerts_and_tests_that_exist(row: list[str]) -> None:
    """Each line has what happens, what Tightrope does, an alert of the rules (or an event), and a test of this tree."""
    assert len(row) == COLUMNS, row
    assert all(row)
    named = re.findall(r"\bTightrope[A-Z]\w+", row[2])
    assert named or "event" in row[2] or "refused" in row[2] or "none" in row[2], row[2]
    assert set(named) <= set(alerts())
    tests = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row[3])
    assert tests, row[3]
    for path, name in tests:
        assert (ROOT / path).is_file(), path
        assert not name or name in functions(ROOT / path), f"{path}::{name}"
