import re
from pathlib import Path

from tests.support.sweeps import small_sweep
from tightrope.offline.sweep.page.heat_map import STEP_WORDS, heat_key, heat_map


def test_a_cell_has_a_figure_a_shade_and_a_sign(tmp_path: Path) -> None:
    """The harmed group: 200 of 1,000 at a limit of 100, proved; the other one: none."""
    table = heat_map(small_sweep(tmp_path))
    rows = {name: re.findall(r'<td class="(h\d)">([^<]*)</td>', cells) for name, cells in _rows(table)}
    assert rows["right (side)"] == [("h0", "0"), ("h3", "200 ✕")]
    assert rows["left (side)"] == [("h0", "0"), ("h0", "0")]
    assert list(rows) == ["all rows", "left (side)", "right (side)"]


def _rows(table: str) -> list[tuple[str, str]]:
    return re.findall(r'<th scope="row">([^<]*)</th>(.*?)</tr>', table)


def test_a_group_without_rows_is_left_out(tmp_path: Path) -> None:
    """It would be a line of strokes."""
    sides = {"side": {"column": 1, "values": {"left": [0], "right": [1], "top": [2]}}}
    assert "top (side)" not in heat_map(small_sweep(tmp_path, subgroups=sides))


def test_the_key_has_every_shade() -> None:
    """And the two signs."""
    assert len(list(heat_key())) == len(STEP_WORDS) + 2
