import re
from dataclasses import replace
from pathlib import Path

from tests.support.sweeps import small_sweep
from tightrope.offline.sweep.page.variant_table import variant_table
from tightrope.offline.sweep.sizes import ModelSize


def test_the_table_has_the_baseline_and_every_variant(tmp_path: Path) -> None:
    """With the numbers of the picture; the recommended one stands out."""
    report = small_sweep(tmp_path)
    half = ModelSize(report.baseline_size.file_bytes // 2, 100)
    table = variant_table(replace(report, variants=[replace(each, size=half) for each in report.variants]))
    assert re.findall(r'<th scope="row">([^<]*)</th>', table) == ["baseline", "good", "crossed"]
    assert table.count('class="best"') == 1
    assert "right (side)" in table


def test_what_was_not_measured_is_a_stroke(tmp_path: Path) -> None:
    """No figure is made up."""
    report = small_sweep(tmp_path)
    bare = [replace(each, costs=None, seen=(), proofs=()) for each in report.variants]
    assert variant_table(replace(report, variants=bare)).count("<td>-</td>") == 6
