from pathlib import Path

from tests.support.qualified_pair import demo_settings
from tests.support.sweeps import CROSSED, distinct_rows, sided_settings
from tightrope.offline.progress import NO_PROGRESS
from tightrope.offline.sweep.making.preparation import SweepFiles, make_variants
from tightrope.offline.sweep.making.recipes import read_recipes


def test_rows_are_read_for_static_quantization_alone(tmp_path: Path) -> None:
    """It learns from rows that choose, and its manifest names the file; the others need none."""
    settings = sided_settings(tmp_path, CROSSED)
    baseline = settings.models["m"].baseline
    assert isinstance(baseline, Path)
    files = SweepFiles(baseline, distinct_rows(tmp_path), tmp_path / "variants")
    assert make_variants(settings, "m", files, [], NO_PROGRESS) == (None, [])
    assert make_variants(settings, "m", files, read_recipes("fp16"), NO_PROGRESS) == (None, [])
    rows, failed = make_variants(settings, "m", files, read_recipes("static"), NO_PROGRESS)
    assert failed == []
    assert rows is not None
    assert len(rows.table) == 1000
    manifest = (tmp_path / "variants/static.manifest.json").read_text()
    assert rows.digest in manifest
    assert '"seed": 1' in manifest


def test_a_folder_of_the_demo_is_not_written(tmp_path: Path) -> None:
    """Variants are made in the folder that is given, never beside the baseline."""
    settings = demo_settings(tmp_path, "good_int8")
    baseline = settings.models["employment"].baseline
    assert isinstance(baseline, Path)
    before = sorted(baseline.parent.iterdir())
    files = SweepFiles(baseline, tmp_path / "none.csv", tmp_path / "variants")
    make_variants(settings, "employment", files, read_recipes("prune:0.5"), NO_PROGRESS)
    assert sorted(baseline.parent.iterdir()) == before
