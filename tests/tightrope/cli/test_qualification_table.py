import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.support.qualified_pair import sided_rows, sided_settings
from tests.support.qualified_reports import judge
from tightrope.cli.qualification_table import _costs, print_report
from tightrope.offline.qualification.costs import Costs


def printed(folder: Path, compressed: object, rows: int = 1000, **changes: object) -> str:
    """Qualify, and return what is printed in 80 columns."""
    out = io.StringIO()
    report = judge(sided_settings(folder, compressed, **changes), sided_rows(folder, rows), folder)
    print_report(report, Console(file=out, width=80))
    return out.getvalue()


def test_a_harmed_group_is_named_in_words(tmp_path: Path) -> None:
    """Once, with how many of a thousand, how many surely, and the limit."""
    text = printed(tmp_path, [[1, 0], [-4, 0]])
    assert "PROVED HARMFUL" in text
    sentence = "of 1,000 in side=right about 200 get another answer (at least 154; the limit is 40)"
    assert sentence in " ".join(text.split())
    assert max(len(line) for line in text.splitlines() if not line.startswith("wrote ")) <= 80


def test_a_pass_says_what_is_nearest_to_its_limit(tmp_path: Path) -> None:
    """One line for each criterion."""
    text = printed(tmp_path, [[1, 0], [0, 0]], 1500)
    assert "QUALIFIED" in text
    assert "disagreement 3 cells pass; side=right at most 0.0099, limit 0.04" in text


def test_missing_rows_are_listed(tmp_path: Path) -> None:
    """With their number."""
    text = printed(tmp_path, [[1, 0], [0, 0]], 100)
    assert "CANNOT TELL" in text
    assert "more rows" in text


@pytest.mark.parametrize(
    ("joules", "line"),
    [
        ({}, "energy 10 us of CPU a row, the baseline 20 us of CPU a row"),
        ({"baseline": 2e-3, "compressed": 5e-4}, "energy 500 uJ a row, the baseline 2,000 uJ a row"),
    ],
)
def test_energy_is_shown_with_its_unit(joules: dict[str, float | None], line: str) -> None:
    """Seconds of the processor where the host counts no joules."""
    costs = Costs({}, {}, {}, {}, {"baseline": 2e-5, "compressed": 1e-5}, joules)
    assert list(_costs(costs))[-1] == line
