from pathlib import Path

from tests.support.planted_hotspots import image_sweep, regression_sweep
from tests.support.sweeps import variant
from tightrope.offline.sweep.making.recipes import read_recipes
from tightrope.offline.sweep.sweep import SweepOptions, sweep


def test_an_image_classifier_has_its_hotspot_found(tmp_path: Path) -> None:
    """Static quantization harms one camera through one tensor; half precision is qualified."""
    settings, rows = image_sweep(tmp_path)
    options = SweepOptions(recipes=read_recipes("static,fp16"), hotspots=True)
    report = sweep(settings, rows, None, tmp_path / "variants", options)
    assert report.skipped == []
    static = variant(report, "static")
    assert static.verdict.value == "breach"
    assert (static.worst("disagreement") or ("",))[0] == "camera=dim"
    assert static.seen_in("disagreement", "camera=bright") == 0
    assert variant(report, "fp16").verdict.value == "qualified"
    first = report.hotspots[0]
    assert (first.tensor, first.change, first.worst) == ("head", "8 bits, one scale", "camera=dim")
    assert first.seen["camera=bright"] == 0
    assert first.seen["camera=dim"] > 0.3


def test_a_regressor_has_its_hotspot_found(tmp_path: Path) -> None:
    """Pruning harms one side through one tensor; a larger file is not recommended. The tensor loses least
    of its signal, which says nothing of harm.
    """
    settings, rows = regression_sweep(tmp_path)
    options = SweepOptions(recipes=read_recipes("prune:0.5,fp16"), hotspots=True)
    report = sweep(settings, rows, None, tmp_path / "variants", options)
    pruned = variant(report, "prune-0.5")
    assert pruned.verdict.value == "breach"
    assert (pruned.worst("disagreement") or ("",))[0] == "side=right"
    assert variant(report, "fp16").verdict.value == "qualified"
    assert report.recommended is None
    assert [each.tensor for each in report.hotspots[:2]] == ["weights", "weights"]
    assert {each.tensor for each in report.hotspots} == {"weights", "mixing"}
    prune = next(each for each in report.hotspots if each.change == "half of its values pruned" and each.worst)
    assert (prune.tensor, prune.worst, prune.seen["side=right"]) == ("weights", "side=right", 1.0)
    assert prune.decibels == max(each.decibels for each in report.hotspots)
