from pathlib import Path

import msgspec
import pytest

from tests.support.sweeps import CROSSED, SHIFTED, small_sweep, variant, variant_folder
from tightrope.offline.qualification.attempts import ATTEMPTS_FILE
from tightrope.offline.qualification.stages import FOLDER
from tightrope.offline.sweep import sweep as sweeping
from tightrope.offline.sweep.goal import Goal
from tightrope.offline.sweep.sweep import SweepOptions
from tightrope.service.config.loader import ConfigError


def test_the_qualified_variant_is_recommended_where_it_costs_less(tmp_path: Path) -> None:
    """Both files are as large as the baseline, so size recommends none; the harmed group is found on all rows."""
    report = small_sweep(tmp_path)
    assert [(each.variant.name, each.verdict.value) for each in report.ordered] == [
        ("good", "qualified"),
        ("crossed", "breach"),
    ]
    assert (report.rows, report.chosen + report.judging, report.candidates) == (1000, 1000, 1)
    assert variant(report, "crossed").seen_in("disagreement", "side=right") == pytest.approx(0.2)
    assert variant(report, "crossed").opposed == ["side=right disagreement"]
    assert report.recommended is None
    assert report.cost(variant(report, "good")) == 1.0


def test_more_candidates_need_more_proof(tmp_path: Path) -> None:
    """A variant with more beside it has a larger bound."""
    variant_folder(tmp_path, {"a": SHIFTED})
    alone = small_sweep(tmp_path)
    more = {name: [[1 + 0.001 * number, 0], [0, 0]] for number, name in enumerate("abcdef", 1)}
    variant_folder(tmp_path, more)
    beside = small_sweep(tmp_path)
    assert (alone.candidates, beside.candidates) == (1, 6)
    bounds = [variant(report, "a").bound_in("disagreement", "side=right") or 0.0 for report in (alone, beside)]
    assert bounds[0] < bounds[1]


def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the first variant: that one is not compared again, and the report is the same."""
    whole = small_sweep(tmp_path)
    compared: list[str] = []
    compare = sweeping.compare_variant

    def interrupted(run: sweeping.QualificationRun) -> sweeping.ComparedVariant:
        compared.append(str(run.settings.models["m"].compressed))
        if len(compared) == 2:
            raise KeyboardInterrupt
        return compare(run)

    monkeypatch.setattr(sweeping, "compare_variant", interrupted)
    with pytest.raises(KeyboardInterrupt):
        small_sweep(tmp_path)
    assert len(list((tmp_path / "state" / FOLDER).glob("*.partial"))) == 1
    again = small_sweep(tmp_path)
    assert [Path(path).stem for path in compared] == ["crossed", "good", "good", "crossed"]
    assert [each.cells for each in again.variants] == [each.cells for each in whole.variants]
    assert list((tmp_path / "state" / FOLDER).glob("*.partial")) == []


def test_what_time_does_not_reach_is_not_measured(tmp_path: Path) -> None:
    """It counts as a candidate: nothing speaks against it yet."""
    report = small_sweep(tmp_path, SweepOptions(seconds=0.0))
    assert report.verdict.value == "error"
    assert {each.note for swept in report.variants for each in swept.cells} == {"not measured: time"}
    assert report.candidates == 2


def test_some_criteria_may_judge_alone(tmp_path: Path) -> None:
    """Their digest is another one, the others are named, and an unknown one is refused."""
    both = {"criteria": {"disagreement": {"model": 0.07}, "confidence": {"model": 0.02}}}
    report = small_sweep(tmp_path, SweepOptions(criteria=["disagreement"]), qualification=both)
    assert (report.criteria, report.left_out) == (["disagreement"], ["confidence"])
    assert report.criteria_digest != small_sweep(tmp_path, qualification=both).criteria_digest
    with pytest.raises(
        ConfigError, match=r"--criteria: there is no brier among the criteria: confidence, disagreement"
    ):
        small_sweep(tmp_path, SweepOptions(criteria=["brier"]), qualification=both)


def test_withheld_groups_are_left_to_the_baseline(tmp_path: Path) -> None:
    """The rows that choose name them, and the others are judged without their rows."""
    withhold = {"unproven": "withhold", "criteria": {"disagreement": {"model": 0.07, "subgroups": 0.1}}}
    swept = variant(small_sweep(tmp_path, qualification=withhold), "crossed")
    assert (list(swept.withheld), swept.verdict.value) == (["side=right"], "qualified")
    assert [each.cell.scope for each in swept.cells] == ["model", "side=left"]


def test_changed_rows_and_costs_are_judged_too(tmp_path: Path) -> None:
    """The criteria of scenarios and of costs, as a qualification has them."""
    section = {
        "criteria": {"flip_gap": {"model": 0.2}, "latency_p50": {"ratio": 1000.0}, "file_size": {"ratio": 0.5}},
        "scenarios": {"jitter": {0: 1.0}},
    }
    good = variant(small_sweep(tmp_path, qualification=section), "good")
    assert {each.cell.criterion: each.outcome.value for each in good.cells} == {
        "flip_gap": "pass",
        "latency_p50": "pass",
        "file_size": "breach",
    }


def test_every_attempt_on_the_rows_is_on_record(tmp_path: Path) -> None:
    """A later statement on the same rows lists them."""
    small_sweep(tmp_path, SweepOptions(goal=Goal.LATENCY))
    lines = (tmp_path / "state" / FOLDER / ATTEMPTS_FILE).read_bytes().splitlines()
    assert [msgspec.json.decode(line)["attempt"]["verdict"] for line in lines] == ["breach", "qualified"]


def test_a_variant_is_compared_again_where_memory_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same result."""
    whole = small_sweep(tmp_path)
    monkeypatch.setattr(sweeping, "MOST_KEPT_ROWS", 0)
    assert [each.cells for each in small_sweep(tmp_path).variants] == [each.cells for each in whole.variants]


def test_a_variant_that_fails_on_a_row_is_skipped(tmp_path: Path) -> None:
    """With its reason; the others are judged."""
    variant_folder(tmp_path, {"good": SHIFTED, "infinite": [[float("inf"), 0], [0, 0]], "crossed": CROSSED})
    report = small_sweep(tmp_path)
    assert [each.variant.name for each in report.variants] == ["crossed", "good"]
    assert [each.name for each in report.skipped] == ["infinite.onnx"]
    assert "not finite" in report.skipped[0].reason


def test_a_baseline_on_another_server_is_refused(tmp_path: Path) -> None:
    """A sweep is about files."""
    endpoint = {"endpoint": "http://127.0.0.1:9", "model": "m"}
    with pytest.raises(ConfigError, match="a sweep is about files"):
        small_sweep(tmp_path, baseline=endpoint)
