from dataclasses import replace
from pathlib import Path

from tests.support.sweeps import small_sweep
from tightrope.offline.sweep.hotspot import Hotspot
from tightrope.offline.sweep.page.document import sweep_page
from tightrope.offline.sweep.page.hotspot_table import MOST_SHOWN, hotspot_table

SPOTS = [
    Hotspot("weight_0", "pruned", 11.8, {"model": 0.036, "side=right": 0.147}, "side=right"),
    Hotspot("weight_1", "pruned", 12.2, {}, None),
]


def test_a_row_names_the_tensor_and_the_group(tmp_path: Path) -> None:
    """Shares of 1,000; a change after which the model cannot answer says it."""
    report = replace(small_sweep(tmp_path), hotspots=SPOTS)
    table = hotspot_table(report)
    assert "<td>36</td>" in table
    assert " 147 in right (side)" in table
    assert 'width="120.0"' in table
    assert "cannot answer" in table
    assert "two together can do more" in sweep_page(report)


def test_the_table_is_short(tmp_path: Path) -> None:
    """The first ones suffice: they are ordered."""
    table = hotspot_table(replace(small_sweep(tmp_path), hotspots=SPOTS * MOST_SHOWN))
    assert table.count('<th scope="row">') == MOST_SHOWN
