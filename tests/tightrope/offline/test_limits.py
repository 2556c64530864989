from pathlib import Path

import numpy as np
import pytest

from tests.support.csv_tables import (
    SIGMOID_WEIGHTS,
    batch_centred,
    pair_config,
    pair_settings,
    read_settings,
    write_table,
)
from tightrope.monitors.detector import divergence
from tightrope.monitors.thresholds import mean_bounds, propose_limit, upper_bound
from tightrope.offline.limits import BOUND_DELTA, Limits, Monitor, limits
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.row_files.row_file import RowFileError

SIDES = {"side": {"column": 1, "values": {"left": [0], "right": [1]}}}
CROSSED = [[1, 0], [-4, 0]]
"""Weights of a compressed model that subtracts 4 from the first feature on the right side: between 0 and 4 it disagrees
there.
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return 2,000 unlabelled rows: left 1,600, right 400; on 40 of the right `CROSSED` disagrees."""
    right = np.arange(2000) % 5 == 0
    score = np.where(right & (np.arange(2000) % 50 == 0), 2.0, 9.0)
    return write_table(tmp_path / "data.csv", np.stack([score, right], axis=1))


def evaluate(
    folder: Path, data: Path, *, per_second: float = 10.0, proposed: bool = False, **changes: object
) -> Limits:
    """Evaluate a pair on these rows; ``changes`` are to its configuration."""
    return limits(pair_settings(folder, subgroups=SIDES, **changes), data, None, per_second, proposed=proposed)  # type: ignore[arg-type]


def monitor(result: Limits, name: str = "disagreement") -> Monitor:
    """Return one monitor of the result."""
    return next(each for each in result.monitors if each.name == name)


def test_rates_have_their_bounds(tmp_path: Path, data: Path) -> None:
    """The model and each subgroup have rows, share, rate and Clopper-Pearson bound."""
    cells = monitor(evaluate(tmp_path, data, compressed=CROSSED)).cells
    assert [(cell.scope, cell.rows, cell.share, cell.seen) for cell in cells] == [
        ("model", 2000, 1.0, 0.02),
        ("side=left", 1600, 0.8, 0.0),
        ("side=right", 400, 0.2, 0.1),
    ]
    assert [cell.bound for cell in cells] == [
        upper_bound(k, n, BOUND_DELTA) for k, n in ((40, 2000), (0, 1600), (40, 400))
    ]
    assert [cell.noise for cell in cells] == [0.0, 0.0, 0.0]
    assert cells[0].noise_bound == upper_bound(0, 2000, BOUND_DELTA)
    assert [cell.over for cell in cells] == [False, False, True], "0.1 of 400 is over 0.04, and 0.02 is not over 0.02"


def test_worse_direction_counts(tmp_path: Path) -> None:
    """A compressed model that depends on its batch agrees while it serves row by row, and disagrees as the shadow."""
    config = pair_config(tmp_path)
    config["models"]["m"]["compressed"] = str(batch_centred(tmp_path / "moody.onnx"))  # type: ignore[index]
    data = write_table(tmp_path / "data.csv", [[1, 0], [3, 0]] * 20)
    assert monitor(limits(read_settings(tmp_path, config), data, None, 10.0)).cells[0].seen == 0.5


def test_means_are_signed(tmp_path: Path, data: Path) -> None:
    """Confidence falls, so the mean is negative; its bound is on its size."""
    result = monitor(evaluate(tmp_path, data, compressed=0.5 * SIGMOID_WEIGHTS), "confidence").cells[0]
    y = np.where(np.arange(2000) % 50 == 0, *(1 / (1 + np.exp([[-1.0], [-4.5]])) - 1 / (1 + np.exp([[-2.0], [-9.0]]))))
    assert result.seen == pytest.approx(y.mean(), abs=1e-6)
    assert result.seen is not None
    assert result.seen < 0
    assert result.bound == pytest.approx(mean_bounds(y, BOUND_DELTA)[1], abs=1e-6)


def test_proposals_lie_above_the_observations(tmp_path: Path, data: Path) -> None:
    """The model has its own limit, the subgroups the highest that one of them needs, and what the others need."""
    result = monitor(evaluate(tmp_path, data, compressed=CROSSED))
    model, left, right = result.cells
    asked = [propose_limit(cell.noise_bound, cell.seen or 0.0, cell.bound, 0.75) for cell in (model, left, right)]
    assert (result.proposal.model, result.proposal.subgroups, result.proposal.without) == (asked[0], asked[2], asked[1])
    assert result.proposal.worst == "side=right"
    assert asked[2] == 0.17, "a rate of 0.1 returns from safe mode under a limit of 0.1 / 0.6"


def test_subgroup_with_few_rows_is_left_out(tmp_path: Path) -> None:
    """20 rows without harm do not prove a limit of 4 %, so they do not count; 8 harmed rows of 20 do."""
    scores = np.full(1020, 9.0)
    right = np.arange(1020) >= 1000
    quiet = write_table(tmp_path / "quiet.csv", np.stack([scores, right], axis=1))
    loud = write_table(tmp_path / "loud.csv", np.stack([np.where(np.arange(1020) >= 1012, 2.0, scores), right], axis=1))
    assert monitor(evaluate(tmp_path, quiet, compressed=CROSSED)).proposal.worst == "side=left"
    result = monitor(evaluate(tmp_path, loud, compressed=CROSSED))
    assert (result.proposal.worst, result.proposal.subgroups) == ("side=right", 0.67)


def test_rate_within_chance_is_not_over_its_limit(tmp_path: Path) -> None:
    """5 of 100 are more than 4 %, but no proof; 100 of 2000 are."""
    for rows, over in ((100, False), (2000, True)):
        score = np.where(np.arange(rows) % 20 == 0, 2.0, 9.0)
        data = write_table(tmp_path / "data.csv", np.stack([score, np.ones(rows)], axis=1))
        right = monitor(evaluate(tmp_path, data, compressed=CROSSED)).cells[2]
        assert (right.seen, right.limit, right.over) == (0.05, 0.04, over)


def test_limits_above_the_maximum_are_not_proposed(tmp_path: Path, data: Path) -> None:
    """A subgroup that always disagrees has no tolerable limit."""
    always = monitor(evaluate(tmp_path, data, compressed=[[1, 0], [-40, 0]]))
    assert always.proposal.worst == "side=right"
    assert always.proposal.subgroups is None
    assert always.proposal.without is not None


def test_monitors_that_are_off_are_left_out(tmp_path: Path, data: Path) -> None:
    """Without refusal there are no refusal monitors; null turns one off."""
    others = ["confidence_shape", "confidence_jump", "mix", "class_miss", "class_gain"]
    asked = ["disagreement", "clear_disagreement", "confidence", *others]
    assert [each.name for each in evaluate(tmp_path, data).monitors] == asked
    off = [each.name for each in evaluate(tmp_path, data, limits={"confidence": None}).monitors]
    assert off == ["disagreement", "clear_disagreement", *others]
    refusal = {"threshold": 0.9}
    assert len(evaluate(tmp_path, data, refusal=refusal).monitors) == 10


def test_monitor_has_the_scopes_that_it_watches(tmp_path: Path, data: Path) -> None:
    """One watches the model only, another the subgroups only; each proposes limits for those."""
    result = evaluate(tmp_path, data, compressed=CROSSED)
    shape, mix = monitor(result, "confidence_shape"), monitor(result, "mix")
    assert [cell.scope for cell in shape.cells] == ["model"]
    assert [cell.scope for cell in mix.cells] == ["side=left", "side=right"]
    assert [cell.limit for cell in mix.cells] == [0.04, 0.04]
    assert (shape.proposal.worst, mix.proposal.model, mix.proposal.worst) == (None, None, "side=right")
    assert shape.proposal.model is not None
    assert mix.proposal.subgroups is not None
    assert (len(shape.harms), len(mix.harms)) == (1, 2)


def test_persistence_counts_refusals_of_the_baseline(tmp_path: Path, data: Path) -> None:
    """Only the 40 rows right of the middle count."""
    result = monitor(evaluate(tmp_path, data, compressed=CROSSED, refusal={"threshold": 0.99}), "refusal_persistence")
    assert [(cell.rows, cell.share) for cell in result.cells] == [(40, 0.02), (0, 0.0), (40, 0.02)]
    assert [cell.seen for cell in result.cells] == [0.0, None, 0.0]
    assert result.cells[1].noise is None
    assert result.cells[1].bound == 1.0


def test_limit_below_the_noise_floor_is_a_problem(tmp_path: Path) -> None:
    """The baseline depends on its batch: alone it decides half of the rows differently, above any limit."""
    path = batch_centred(tmp_path / "moody.onnx")
    config = pair_config(tmp_path, subgroups=SIDES, subgroup_limits={"disagreement": 0.3})
    config["models"]["m"] |= {"baseline": str(path), "compressed": str(path)}  # type: ignore[index]
    rows = np.stack([np.where(np.arange(400) % 2, 3.0, 1.0), np.arange(400) < 100], axis=1)
    result = limits(read_settings(tmp_path, config), write_table(tmp_path / "data.csv", rows), None, 10.0)
    text = (
        "lies below the noise floor: the baseline run twice, row by row and in batches, gives 0.5 in {}, so that a "
        "perfect copy of it would raise the alarm too"
    )
    assert result.problems[:2] == (
        f"models.m.limits.disagreement: 0.02 (the default) {text.format('model')}",
        f"models.m.subgroup_limits.disagreement: 0.3 {text.format('side=left')}",
    )
    assert monitor(result).cells[0].noise == 0.5
    assert monitor(result).proposal.model is None


def test_harms_are_multiples_of_the_configured_or_proposed_limit(tmp_path: Path, data: Path) -> None:
    """More harm is detected sooner, harm of a smaller subgroup later."""
    for proposed in (False, True):
        result = monitor(evaluate(tmp_path, data, compressed=CROSSED, limits={"disagreement": 0.03}, proposed=proposed))
        own = (result.proposal.model, result.proposal.subgroups, result.proposal.subgroups)
        assert result.limits == (own if proposed else (0.03, 0.06, 0.06))
        for limit, beyond in zip(result.limits, result.harms, strict=True):
            assert limit is not None
            assert [harm.value for harm in beyond] == pytest.approx([times * limit for times in (2, 3, 5, 10)])
            requests = [harm.requests for harm in beyond if harm.requests is not None]
            assert requests == sorted(requests, reverse=True)
        left, right = (beyond[0].requests for beyond in result.harms[1:])
        assert left is not None
        assert right is not None
        assert right > left


def test_sampling_floor_shortens_detection(tmp_path: Path, data: Path) -> None:
    """With a tenth sampled, and all of the right side, harm there is detected nearly ten times sooner.

    That side has a fifth of the rows, and a part in 21 of the subgroups' budget: seven monitors, three subgroups.
    """
    plain = monitor(evaluate(tmp_path, data, sampling={"rate": 0.1})).harms[2][1]
    floored = monitor(evaluate(tmp_path, data, sampling={"rate": 0.1, "floors": {"side=right": 1.0}})).harms[2][1]
    for harm, own, samples in ((plain, 0.2 * 0.1, 0.1), (floored, 0.2, 0.8 * 0.1 + 0.2)):
        information = float(divergence(0.12, 0.04))
        budget = 3.15e8 / (0.2 / 21) * own / samples
        assert harm.rows == pytest.approx(np.log(budget * information) / information)
        assert harm.seconds == pytest.approx(harm.rows / own / 10)


def test_delay_depends_on_the_traffic(tmp_path: Path, data: Path) -> None:
    """Twice the requests per second halve the seconds."""
    slow, fast = (monitor(evaluate(tmp_path, data, per_second=rate)).harms[0][0].seconds for rate in (5.0, 10.0))
    assert slow is not None
    assert fast is not None
    assert slow == pytest.approx(2 * fast)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_invalid_traffic_is_refused(tmp_path: Path, data: Path, rate: float) -> None:
    """The error names the option."""
    with pytest.raises(ConfigError, match=r"^--per-second: is \S+; it must be a number above 0$"):
        evaluate(tmp_path, data, per_second=rate)


def test_one_row_is_too_few(tmp_path: Path) -> None:
    """A single row has no noise to measure."""
    with pytest.raises(RowFileError, match="has too few rows: 1, and at least 2 are needed"):
        evaluate(tmp_path, write_table(tmp_path / "data.csv", [[1, 0]]))


def test_regression_has_one_monitor(tmp_path: Path, data: Path) -> None:
    """Values further apart than the tolerance disagree."""
    result = evaluate(
        tmp_path, data, compressed=0.5 * SIGMOID_WEIGHTS, decision={"scale": "regression", "tolerance": 0.1}
    )
    assert [each.name for each in result.monitors] == ["disagreement"]
    assert monitor(result).cells[0].seen == 0.02, "only the smaller score leaves 0.1 between two sigmoids"
