from dataclasses import replace
from pathlib import Path

from tests.support.sweeps import small_sweep, variant
from tightrope.monitors.qualification.cells import QualificationVerdict
from tightrope.offline.sweep.goal import Goal
from tightrope.offline.sweep.report import SweepReport
from tightrope.offline.sweep.sizes import ModelSize
from tightrope.offline.sweep.sweep import SweepOptions
from tightrope.offline.sweep.sweep_words import (
    counts,
    harm_sentences,
    limits_of_proof,
    missing_proof,
    names_by_line,
    recommendation,
    split_words,
)


def resized(report: SweepReport, file: float, deflated: float) -> SweepReport:
    """Give all variants these shares of the baseline's sizes."""
    whole = report.baseline_size
    size = ModelSize(int(whole.file_bytes * file), int(whole.deflated_bytes * deflated))
    return replace(report, variants=[replace(each, size=size) for each in report.variants])


def test_a_sweep_is_told_in_words(tmp_path: Path) -> None:
    """Verdicts, harm, the split, and what is recommended."""
    report = small_sweep(tmp_path)
    assert counts(report) == "2 variants: 1 qualified, 1 harmful"
    sentence = "of 1,000 in right (side) about 200 get another answer (at least 154; the limit is 100)"
    assert harm_sentences(variant(report, "crossed")) == [sentence]
    few = variant(small_sweep(tmp_path, qualification={"criteria": {"disagreement": {"model": 0.01}}}), "crossed")
    assert harm_sentences(few)[0].startswith("of 1,000 rows about 40 get another answer (at least ")
    assert "rows choose 1 candidate, " in split_words(report)
    none = replace(report, variants=[variant(report, "crossed")])
    assert "rows choose no candidate, " in split_words(none)
    two = replace(report, variants=[variant(report, "good")] * 2)
    assert "2 candidates, 680 judge them, each at 97.500%: that is 95% for all of them" in split_words(two)
    assert recommendation(report) == "none: no qualified variant has less size than the baseline"
    assert recommendation(resized(report, 0.25, 1)) == "good.onnx: 75% less size than the baseline"
    harmful = replace(report, variants=[variant(report, "crossed")])
    assert recommendation(harmful) == "none: no variant is qualified"


def test_what_is_not_proved_is_said_once_for_all(tmp_path: Path) -> None:
    """Cells with the rows that they lack; a reason that all cells share, once; why a variant is no candidate."""
    few = small_sweep(tmp_path, rows=60)
    ((line, names),) = list(names_by_line(few, missing_proof).items())[:1]
    assert line.startswith("disagreement in all rows: about")
    assert names
    assert missing_proof(few.variants[0], 1) is not None
    unreached = small_sweep(tmp_path, SweepOptions(seconds=0.0))
    assert names_by_line(unreached, lambda each: missing_proof(each, 1)) == {
        "3 cells: not measured: time": ["crossed", "good"]
    }
    good = variant(small_sweep(tmp_path), "good")
    assert missing_proof(good) is None
    opposed = replace(good, verdict=QualificationVerdict.INSUFFICIENT, opposed=["a=b disagreement"])
    assert missing_proof(opposed) == "the rows that choose speak against it: a=b disagreement"


def test_it_says_what_it_cannot_tell(tmp_path: Path) -> None:
    """Pruning that saves no byte, energy without joules, criteria that were left out, and few rows."""
    report = small_sweep(tmp_path)
    pruned = " ".join(limits_of_proof(resized(replace(report, goal=Goal.ENERGY, left_out=["brier"]), 1, 0.5)))
    for part in ("its zeros save bytes only where", "counts no joules", "left out: brier", "It is no statement"):
        assert part in pruned
    few = small_sweep(tmp_path, rows=60)
    assert "Not proved is not harmful" in " ".join(limits_of_proof(few))
    assert "zeros" not in " ".join(limits_of_proof(report))
