from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.support.kept_traffic import FIRST_TIME, keep_traffic, kept_files
from tests.support.qualified_pair import CROSSED, SIDES, sided_rows, sided_settings
from tests.support.qualified_reports import NOW, cell
from tightrope.monitors.intake.sampling import Sampler
from tightrope.monitors.label_records import Label
from tightrope.monitors.qualification.cells import QualificationVerdict
from tightrope.offline.pair_evaluation import load_pair
from tightrope.offline.qualification.qualify import QualificationReport, QualifyOptions, qualify_rows
from tightrope.offline.qualification.samples.kept_samples import LEAST_LABELS, kept_samples
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.qualified.golden_answers import decode_rows
from tightrope.service.inference.row_files.row_file import RowFileError

SCOPES = ("side=left", "side=right")
SAME = [[1, 0], [0, 0]]


def sided_inputs(rows: int, right: float = 0.2) -> dict[str, np.ndarray]:
    """Rows of both sides; on the left the score is clear, on the right `CROSSED` disagrees on a fifth."""
    is_right = np.arange(rows) % round(1 / right) == 0
    crossed = is_right & (np.arange(rows) % round(5 / right) == 0)
    unlike = np.arange(rows) * 1e-4
    score = np.where(crossed, 2.0 + unlike, np.where(is_right, 9.0 + unlike, np.linspace(-9, -1, rows)))
    return {"input": np.stack([score, is_right], axis=1).astype(np.float32)}


def judge_kept(settings: Settings, folder: Path, since: float = -np.inf) -> QualificationReport:
    """Qualify from samples, with the bundle in a folder."""
    pair = load_pair(settings, None)
    options = QualifyOptions(out=folder / "bundle.jsonl", costs=False)
    return qualify_rows(settings, pair, kept_samples(settings, pair, since), options, now=NOW)


def test_a_good_model_qualifies_and_a_harmful_one_does_not(tmp_path: Path) -> None:
    """By the rows of its traffic, as on a file; twice, the result has the same bytes."""
    for weights, verdict in ((SAME, QualificationVerdict.QUALIFIED), (CROSSED, QualificationVerdict.BREACH)):
        (folder := tmp_path / str(verdict)).mkdir()
        settings = sided_settings(folder, weights)
        keep_traffic(settings, sided_inputs(2000), reference=300)
        first, second = (judge_kept(settings, folder) for _ in range(2))
        assert first.verdict is verdict
        results = [msgspec.json.encode(each.statement.predicate.result) for each in (first, second)]
        assert results[0] == results[1]
        assert len(second.statement.predicate.data.attempts) == 1
    assert cell(first, "disagreement", "side=right").rows == 400


def test_a_floor_does_not_convict_the_whole_model(tmp_path: Path) -> None:
    """All requests of the right side were kept, and a tenth of the left one: the model's cell takes rows by the draw,
    the subgroup's all that were drawn for it.
    """
    settings = sided_settings(tmp_path, CROSSED)
    inputs = sided_inputs(8000, right=0.5)
    draw = (np.arange(8000) * 0.6180339887) % 1.0
    is_kept = (inputs["input"][:, 1] == 1) | (draw < 0.1)
    mine = {"input": inputs["input"][is_kept]}
    member = np.stack([mine["input"][:, 1] == 0, mine["input"][:, 1] == 1], axis=1)
    sampler = Sampler(0.1, {"side=right": 1.0})
    keep_traffic(settings, mine, sampler=sampler, scopes=SCOPES, draw=draw[is_kept], member=member)
    report = judge_kept(settings, tmp_path)
    rows = {scope: cell(report, "disagreement", scope).rows for scope in ("model", *SCOPES)}
    assert rows == {
        "model": int((draw < 0.1).sum()),
        "side=left": int(((draw < 0.1) & (inputs["input"][:, 1] == 0)).sum()),
        "side=right": 4000,
    }
    samples = report.statement.predicate.data.samples
    assert samples.of_model == rows["model"] < samples.kept == int(is_kept.sum())
    assert any("floors kept the others" in note for note in report.notes)


def test_inputs_of_another_model_are_refused(tmp_path: Path) -> None:
    """Another width fits no row; without any usable row the reasons are told."""
    settings = sided_settings(tmp_path, SAME)
    keep_traffic(settings, {"input": np.zeros((9, 3), dtype=np.float32)})
    with pytest.raises(
        RowFileError, match=r"none of 9 kept rows can be run again: 9 do not fit the inputs of the model"
    ):
        judge_kept(settings, tmp_path)


def test_no_kept_rows_name_the_key(tmp_path: Path) -> None:
    """The line says what to set, or that the time has none."""
    settings = sided_settings(tmp_path, SAME)
    with pytest.raises(RowFileError, match=r"reports.keep_rows is 0"):
        judge_kept(settings, tmp_path)
    settings = settings.model_copy(update={"reports": settings.reports.model_copy(update={"keep_rows": 10})})
    with pytest.raises(RowFileError, match="has no kept rows of this time"):
        judge_kept(settings, tmp_path)


def test_since_takes_later_rows(tmp_path: Path) -> None:
    """The statement tells the time of the first and of the last row."""
    settings = sided_settings(tmp_path, SAME)
    keep_traffic(settings, sided_inputs(1000))
    samples = judge_kept(settings, tmp_path, FIRST_TIME + 400).statement.predicate.data.samples
    assert (samples.kept, samples.since.timestamp(), samples.until.timestamp()) == (
        600, FIRST_TIME + 400, FIRST_TIME + 999,
    )  # fmt: skip


def labels_of(rows: int, probability: float = 0.0) -> list[Label]:
    """True labels of the first rows."""
    values = sided_inputs(rows)["input"][:, 0] < 0
    return [
        Label("m", f"0-{row}", row=0, label=int(value), time=0.0, probability=probability)
        for row, value in enumerate(values)
    ]


@pytest.mark.parametrize("count", [LEAST_LABELS - 1, LEAST_LABELS])
def test_labels_count_where_they_came(tmp_path: Path, count: int) -> None:
    """Default criteria about labels are judged by enough of them, and else left out with a note."""
    settings = sided_settings(tmp_path, SAME)
    keep_traffic(settings, sided_inputs(1000), labels=labels_of(count), offset=np.arange(1000))
    report = judge_kept(settings, tmp_path)
    assert report.statement.predicate.data.samples.labels == count
    judged = [each for each in report.statement.predicate.result.cells if each.criterion == "accuracy"]
    assert [each.rows for each in judged if each.scope == "model"] == [count] * (count == LEAST_LABELS)
    assert any("too few for the default criteria" in note for note in report.notes) is (count < LEAST_LABELS)


def test_labels_of_drawn_disagreements_are_left_out(tmp_path: Path) -> None:
    """They are harmed rows by choice: only the random draw of labels is a sample."""
    settings = sided_settings(tmp_path, SAME)
    keep_traffic(
        settings, sided_inputs(1000), labels=labels_of(1000, 1.0), offset=np.arange(1000), draw=0.25 + 2.0**-28
    )
    assert judge_kept(settings, tmp_path).statement.predicate.data.samples.labels == 0


def test_subgroups_of_parameters_are_as_the_request_said(tmp_path: Path) -> None:
    """The inputs do not tell them; a row from before the declaration is refused."""
    country = {"country": {"parameter": "country", "values": ["at", "de"]}}
    settings = sided_settings(tmp_path, SAME, subgroups=country)
    scopes = load_pair(settings, None).subgroups.scopes
    member = np.zeros((400, len(scopes)), dtype=bool)
    member[:, scopes.index("country=at")] = np.arange(400) % 2 == 0
    keep_traffic(settings, sided_inputs(400), scopes=scopes, member=member)
    keep_traffic(settings, sided_inputs(50), time=FIRST_TIME + 5000)
    report = judge_kept(settings, tmp_path)
    assert cell(report, "disagreement", "country=at").rows == 200
    assert report.statement.predicate.data.samples.refused == {"kept before country=at was declared": 50}


def test_subgroups_of_columns_are_cut_as_today(tmp_path: Path) -> None:
    """A row was kept under other codes."""
    settings = sided_settings(tmp_path, SAME)
    keep_traffic(settings, sided_inputs(500), scopes=("side=left",), member=np.ones((500, 1)))
    assert cell(judge_kept(settings, tmp_path), "disagreement", "side=right").rows == 100


def test_withheld_scopes_leave_with_all_their_rows(tmp_path: Path) -> None:
    """Also those that were drawn for another scope alone."""
    section = {"unproven": "withhold", "criteria": {"disagreement": {"model": 0.07, "subgroups": 0.10}}}
    settings = sided_settings(tmp_path, CROSSED, subgroups=SIDES, qualification=section)
    keep_traffic(settings, sided_inputs(3000))
    report = judge_kept(settings, tmp_path)
    result = report.statement.predicate.result
    assert result.withheld == ["side=right"]
    assert cell(report, "disagreement", "model").hits == 0
    assert result.covers == pytest.approx(0.8, abs=0.03)


def test_no_input_of_a_caller_is_in_the_statement(tmp_path: Path) -> None:
    """Rows that are not shuffled come from the file of golden rows, and without one it is refused."""
    section = {"golden_rows": "data", "criteria": {"disagreement": {"model": 0.07}}}
    settings = sided_settings(tmp_path, SAME, qualification=section)
    keep_traffic(settings, sided_inputs(500))
    with pytest.raises(ConfigError, match=r"models\.m\.golden: is missing"):
        judge_kept(settings, tmp_path)
    rows = sided_rows(tmp_path, 40)
    settings = sided_settings(tmp_path, SAME, qualification=section, golden=str(rows))
    report = judge_kept(settings, tmp_path)
    assert report.verdict is QualificationVerdict.QUALIFIED
    golden = decode_rows(report.statement.predicate.result.golden, load_pair(settings, None).inputs)["input"]
    file = {tuple(row) for row in np.loadtxt(rows, delimiter=",", skiprows=1, dtype=np.float32).tolist()}
    assert {tuple(row) for row in golden.tolist()} == file


def test_kept_samples_are_the_same_rows_whatever_the_order(tmp_path: Path) -> None:
    """The digest covers inputs, draws and labels, in the order of time."""
    settings = sided_settings(tmp_path, SAME)
    keep_traffic(settings, sided_inputs(100))
    pair = load_pair(settings, None)
    first = kept_samples(settings, pair)
    for path in [*kept_files(settings, ".rows").values(), *kept_files(settings, ".inputs").values()]:
        path.rename(path.with_name("0000000077" + path.suffix))
    assert kept_samples(settings, pair).digest == first.digest
    assert replace(first, digest="").notes == first.notes
    keep_traffic(settings, sided_inputs(1), time=FIRST_TIME + 5000)
    assert kept_samples(settings, pair).digest != first.digest
