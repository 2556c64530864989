import json
import shutil

import pytest

from tests.support.configs import ROOT
from tests.support.qualified_pair import GOLDEN, demo_settings
from tests.support.sweeps import variant
from tightrope.offline.sweep.making.recipes import read_recipes
from tightrope.offline.sweep.outcome import sweep_document
from tightrope.offline.sweep.report import SweepReport
from tightrope.offline.sweep.sweep import SweepOptions, sweep


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> SweepReport:
    """A sweep of three of the demo's models, and of three that are made."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "variants").mkdir()
    for name in ("good_distilled", "good_int8", "bad_distilled_households_only"):
        shutil.copy(ROOT / f"demo/models/{name}.onnx", folder / "variants")
    options = SweepOptions(criteria=["disagreement"], recipes=read_recipes("dynamic,prune:0.5"))
    return sweep(demo_settings(folder, "good_int8"), GOLDEN, None, folder / "variants", options)


def test_the_distilled_student_is_recommended(report: SweepReport) -> None:
    """25 of 4,000 rows differ, and it is the smallest one that is proved."""
    best = report.recommended
    assert best is not None
    assert best.variant.name == "good_distilled"
    assert best.seen_in("disagreement", "model") == 25 / 4000
    assert (report.chosen, report.judging) == (1204, 2796)


def test_pruning_a_half_harms_group_quarters(report: SweepReport) -> None:
    """180 of 1,000, proved; its file is as large as the baseline's until something deflates it."""
    pruned = variant(report, "prune-0.5")
    assert pruned.verdict.value == "breach"
    assert pruned.seen_in("disagreement", "residence=group_quarters") == pytest.approx(39 / 217)
    assert pruned.seen_in("disagreement", "model") == 0.055
    assert pruned.size.file_bytes == report.baseline_size.file_bytes
    assert pruned.size.deflated_bytes < 0.6 * report.baseline_size.deflated_bytes


def test_the_student_of_households_harms_group_quarters(report: SweepReport) -> None:
    """As `tightrope qualify` says it: 117 of 217, at least 481 of 1,000."""
    document = json.loads(json.dumps(sweep_document(report)))
    found = next(each for each in document["variants"] if each["name"].startswith("bad_"))
    cell = found["cells"][0]
    assert (cell["scope"], cell["hits"], cell["rows"]) == ("residence=group_quarters", 117, 217)
    assert cell["least"] == pytest.approx(0.4811, abs=1e-4)


def test_the_verdict_on_scales_per_channel_is_that_of_the_host(report: SweepReport) -> None:
    """Without VNNI its products saturate where rows run alone, and it is not qualified."""
    verdict = variant(report, "dynamic-s8-per-channel").verdict.value
    if "x86_64" not in report.host_class:
        pytest.skip(f"{report.host_class} is no x86 processor")
    assert (verdict == "qualified") == ("vnni" in report.host_class)
