import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.sweeps import small_sweep
from tightrope.offline.sweep.goal import Goal
from tightrope.offline.sweep.page.scatter import (
    DISTANCES,
    LABEL_HEIGHT,
    LABEL_WIDTH,
    _box,
    _free_place,
    _overlap,
    scatter,
    scatter_points,
    shown_cost,
)


def test_every_variant_has_its_sign_and_its_number(tmp_path: Path) -> None:
    """A disc in the shaded region and a cross above it; the picture has words for those who cannot see it."""
    report = small_sweep(tmp_path)
    drawn = scatter(report, 0.1)
    assert [drawn.count(f'class="{name}"') for name in ("disc", "cross", "ring", "region", "front")] == [1, 1, 0, 1, 1]
    assert re.findall(r'bold">(\d)<', drawn) == ["1", "2"]
    assert "Scatter of 2 variants: size of the files" in drawn
    (region,) = re.findall(r'<rect x="\d+" y="([\d.]+)"', drawn)
    (disc,) = re.findall(r'cy="([\d.]+)" r="6.0" class="disc"', drawn)
    assert float(disc) > float(region)


def test_a_variant_without_a_cost_is_left_out(tmp_path: Path) -> None:
    """Its place is unknown; a picture without points is drawn all the same."""
    report = replace(small_sweep(tmp_path), goal=Goal.LATENCY)
    assert shown_cost(report, report.variants[0]) == report.variants[0].ratio("latency_p50")
    bare = replace(report, variants=[replace(each, costs=None) for each in report.variants])
    assert scatter_points(bare) == []
    assert "Scatter of 0 variants" in scatter(bare, None)


def test_numbers_do_not_hide_each_other() -> None:
    """Eight signs at one place."""
    taken = [_box(200, 200, 12, 12)]
    for _ in range(8):
        place = _free_place(200, 200, taken)
        box = _box(*place, LABEL_WIDTH, LABEL_HEIGHT)
        assert not any(_overlap(box, other) for other in taken)
        assert max(abs(place[0] - 200), abs(place[1] - 200)) <= DISTANCES[-1] + 2
        taken.append(box)


@pytest.mark.parametrize("costs", [(1.0, 1.0), (20.0, 800_000.0)])
def test_the_axis_fits_any_costs(tmp_path: Path, costs: tuple[float, float]) -> None:
    """One cost, or five powers of ten."""
    report = small_sweep(tmp_path)
    sizes = [replace(each.size, file_bytes=int(1000 * cost)) for each, cost in zip(report.variants, costs, strict=True)]
    changed = [replace(each, size=size) for each, size in zip(report.variants, sizes, strict=True)]
    ticks = re.findall(r'axis middle">([\de+]+)<', scatter(replace(report, variants=changed), 0.1))
    assert 0 < len(ticks) <= 8
