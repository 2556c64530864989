import json
import re
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from tests.support.commands import tightrope
from tests.support.csv_tables import SURE, moody, pair_config, pair_settings, read_settings, write_table
from tests.support.servers import ROOT
from tightrope.monitors.detector import divergence
from tightrope.monitors.thresholds import limit_above, mean_bounds, upper_bound
from tightrope.offline.limits import DELTA, Limits, Monitor, limits
from tightrope.offline.table import TableError
from tightrope.service.config.loader import ConfigError

DEMO = ROOT / "demo" / "tightrope.yaml"
GOLDEN = ROOT / "demo" / "data" / "golden.csv"

SIDES = {"side": {"column": 1, "values": {"left": [0], "right": [1]}}}
CROSSED = [[1, 0], [-4, 0]]
"""A compressed model that takes 4 from the first feature on the right side: there, between 0 and 4, it disagrees."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """2,000 rows: left 1,600, right 400, of which 40 lie where `CROSSED` disagrees; no labels."""
    right = np.arange(2000) % 5 == 0
    score = np.where(right & (np.arange(2000) % 50 == 0), 2.0, 9.0)
    return write_table(tmp_path / "data.csv", np.stack([score, right], axis=1))


def found(folder: Path, data: Path, *, per_second: float = 10.0, proposed: bool = False, **changes: object) -> Limits:
    """What a pair shows on these rows; ``changes`` are to its configuration."""
    return limits(pair_settings(folder, subgroups=SIDES, **changes), data, None, per_second, proposed=proposed)  # type: ignore[arg-type]


def monitor(told: Limits, name: str = "disagreement") -> Monitor:
    """One monitor of it."""
    return next(each for each in told.monitors if each.name == name)


def test_rates_are_counted_with_their_bounds(tmp_path: Path, data: Path) -> None:
    """For the model and for each subgroup: rows, share, rate, Clopper-Pearson bound."""
    cells = monitor(found(tmp_path, data, compressed=CROSSED)).cells
    assert [(cell.scope, cell.rows, cell.share, cell.seen) for cell in cells] == [
        ("model", 2000, 1.0, 0.02),
        ("side=left", 1600, 0.8, 0.0),
        ("side=right", 400, 0.2, 0.1),
    ]
    assert [cell.bound for cell in cells] == [upper_bound(k, n, DELTA) for k, n in ((40, 2000), (0, 1600), (40, 400))]
    assert [cell.noise for cell in cells] == [0.0, 0.0, 0.0]
    assert cells[0].noise_bound == upper_bound(0, 2000, DELTA)
    assert [cell.over for cell in cells] == [False, False, True], "0.1 of 400 is over 0.04, and 0.02 is not over 0.02"


def test_worse_of_both_ways_round_counts(tmp_path: Path) -> None:
    """A compressed model that looks at its batch agrees while it serves row by row; as the shadow it does not."""
    config = pair_config(tmp_path)
    config["models"]["m"]["compressed"] = str(moody(tmp_path / "moody.onnx"))  # type: ignore[index]
    data = write_table(tmp_path / "data.csv", [[1, 0], [3, 0]] * 20)
    assert monitor(limits(read_settings(tmp_path, config), data, None, 10.0)).cells[0].seen == 0.5


def test_means_are_counted_with_their_sign(tmp_path: Path, data: Path) -> None:
    """Confidence falls, so the mean is negative; its bound is on its size."""
    told = monitor(found(tmp_path, data, compressed=0.5 * SURE), "confidence").cells[0]
    y = np.where(np.arange(2000) % 50 == 0, *(1 / (1 + np.exp([[-1.0], [-4.5]])) - 1 / (1 + np.exp([[-2.0], [-9.0]]))))
    assert told.seen == pytest.approx(y.mean(), abs=1e-6)
    assert told.seen is not None
    assert told.seen < 0
    assert told.bound == pytest.approx(mean_bounds(y, DELTA)[1], abs=1e-6)


def test_proposals_lie_above_what_was_seen(tmp_path: Path, data: Path) -> None:
    """For the model its own, for the subgroups the highest that one of them asks for, and what the others would."""
    told = monitor(found(tmp_path, data, compressed=CROSSED))
    model, left, right = told.cells
    asked = [limit_above(cell.noise_bound, cell.seen or 0.0, cell.bound, 0.75) for cell in (model, left, right)]
    assert (told.proposal.model, told.proposal.subgroups, told.proposal.without) == (asked[0], asked[2], asked[1])
    assert told.proposal.worst == "side=right"
    assert asked[2] == 0.17, "a rate of 0.1 returns from safe mode under a limit of 0.1 / 0.6"


def test_a_subgroup_of_few_rows_asks_for_nothing(tmp_path: Path) -> None:
    """Nothing seen in 20 rows would not prove a limit of 4 %, so they say nothing about it; 8 of 20 do."""
    scores = np.full(1020, 9.0)
    right = np.arange(1020) >= 1000
    quiet = write_table(tmp_path / "quiet.csv", np.stack([scores, right], axis=1))
    loud = write_table(tmp_path / "loud.csv", np.stack([np.where(np.arange(1020) >= 1012, 2.0, scores), right], axis=1))
    assert monitor(found(tmp_path, quiet, compressed=CROSSED)).proposal.worst == "side=left"
    told = monitor(found(tmp_path, loud, compressed=CROSSED))
    assert (told.proposal.worst, told.proposal.subgroups) == ("side=right", 0.67)


def test_a_rate_that_chance_may_have_lifted_is_not_over_its_limit(tmp_path: Path) -> None:
    """5 of 100 are more than 4 %, and no proof; 100 of 2000 are."""
    for rows, over in ((100, False), (2000, True)):
        score = np.where(np.arange(rows) % 20 == 0, 2.0, 9.0)
        data = write_table(tmp_path / "data.csv", np.stack([score, np.ones(rows)], axis=1))
        right = monitor(found(tmp_path, data, compressed=CROSSED)).cells[2]
        assert (right.seen, right.limit, right.over) == (0.05, 0.04, over)


def test_no_limit_is_proposed_that_could_not_be_configured(tmp_path: Path, data: Path) -> None:
    """A subgroup that disagrees always is not to be tolerated."""
    always = monitor(found(tmp_path, data, compressed=[[1, 0], [-40, 0]]))
    assert always.proposal.worst == "side=right"
    assert always.proposal.subgroups is None
    assert always.proposal.without is not None


def test_monitors_that_cannot_be_asked_or_are_off_are_left_out(tmp_path: Path, data: Path) -> None:
    """No refusal, no refusal monitors; null switches one off."""
    asked = ["disagreement", "confidence", "confidence_shape", "mix"]
    assert [each.name for each in found(tmp_path, data).monitors] == asked
    off = [each.name for each in found(tmp_path, data, limits={"confidence": None}).monitors]
    assert off == ["disagreement", "confidence_shape", "mix"]
    refusal = {"threshold": 0.9}
    assert len(found(tmp_path, data, refusal=refusal).monitors) == 6


def test_monitor_is_told_of_the_scopes_that_it_watches(tmp_path: Path, data: Path) -> None:
    """One has the model only, another the subgroups only; each proposes for those that it has."""
    told = found(tmp_path, data, compressed=CROSSED)
    shape, mix = monitor(told, "confidence_shape"), monitor(told, "mix")
    assert [cell.scope for cell in shape.cells] == ["model"]
    assert [cell.scope for cell in mix.cells] == ["side=left", "side=right"]
    assert [cell.limit for cell in mix.cells] == [0.04, 0.04]
    assert (shape.proposal.worst, mix.proposal.model, mix.proposal.worst) == (None, None, "side=right")
    assert shape.proposal.model is not None
    assert mix.proposal.subgroups is not None
    assert (len(shape.harms), len(mix.harms)) == (1, 2)


def test_persistence_counts_what_the_baseline_refuses(tmp_path: Path, data: Path) -> None:
    """40 rows, all right of the middle; the others say nothing to the question."""
    told = monitor(found(tmp_path, data, compressed=CROSSED, refusal={"threshold": 0.99}), "refusal_persistence")
    assert [(cell.rows, cell.share) for cell in told.cells] == [(40, 0.02), (0, 0.0), (40, 0.02)]
    assert [cell.seen for cell in told.cells] == [0.0, None, 0.0]
    assert told.cells[1].noise is None
    assert told.cells[1].bound == 1.0


def test_a_limit_below_the_noise_floor_is_named(tmp_path: Path) -> None:
    """The baseline looks at its batch; alone it decides otherwise in half of the rows: above that no limit is left."""
    path = moody(tmp_path / "moody.onnx")
    config = pair_config(tmp_path, subgroups=SIDES, subgroup_limits={"disagreement": 0.3})
    config["models"]["m"] |= {"baseline": str(path), "compressed": str(path)}  # type: ignore[index]
    rows = np.stack([np.where(np.arange(400) % 2, 1.0, -1.0), np.arange(400) < 100], axis=1)
    told = limits(read_settings(tmp_path, config), write_table(tmp_path / "data.csv", rows), None, 10.0)
    said = (
        "lies below the noise floor: the baseline run twice, row by row and in batches, gives 0.5 in {}, so that a "
        "perfect copy of it would raise the alarm too"
    )
    assert told.problems[:2] == (
        f"models.m.limits.disagreement: 0.02 (the default) {said.format('model')}",
        f"models.m.subgroup_limits.disagreement: 0.3 {said.format('side=left')}",
    )
    assert monitor(told).cells[0].noise == 0.5
    assert monitor(told).proposal.model is None


def test_harms_are_multiples_of_the_configured_or_of_the_proposed_limit(tmp_path: Path, data: Path) -> None:
    """Sooner for more harm, later for a smaller share."""
    for proposed in (False, True):
        told = monitor(found(tmp_path, data, compressed=CROSSED, limits={"disagreement": 0.03}, proposed=proposed))
        own = (told.proposal.model, told.proposal.subgroups, told.proposal.subgroups)
        assert told.limits == (own if proposed else (0.03, 0.06, 0.06))
        for limit, beyond in zip(told.limits, told.harms, strict=True):
            assert limit is not None
            assert [harm.value for harm in beyond] == pytest.approx([times * limit for times in (2, 3, 5, 10)])
            requests = [harm.requests for harm in beyond if harm.requests is not None]
            assert requests == sorted(requests, reverse=True)
        left, right = (beyond[0].requests for beyond in told.harms[1:])
        assert left is not None
        assert right is not None
        assert right > left


def test_floors_shorten_the_time_to_see_a_small_subgroup(tmp_path: Path, data: Path) -> None:
    """With a tenth sampled, and all of the right side, that side is seen nearly ten times sooner.

    It has a fifth of the rows, and a sixth of the subgroups' budget: three monitors, two subgroups.
    """
    plain = monitor(found(tmp_path, data, sampling={"rate": 0.1})).harms[2][1]
    floored = monitor(found(tmp_path, data, sampling={"rate": 0.1, "floors": {"side=right": 1.0}})).harms[2][1]
    for harm, own, samples in ((plain, 0.2 * 0.1, 0.1), (floored, 0.2, 0.8 * 0.1 + 0.2)):
        information = float(divergence(0.12, 0.04))
        budget = 3.15e8 / (0.2 / 6) * own / samples
        assert harm.rows == pytest.approx(np.log(budget * information) / information)
        assert harm.seconds == pytest.approx(harm.rows / own / 10)


def test_traffic_sets_the_time(tmp_path: Path, data: Path) -> None:
    """Twice the requests a second, half the seconds."""
    slow, fast = (monitor(found(tmp_path, data, per_second=rate)).harms[0][0].seconds for rate in (5.0, 10.0))
    assert slow is not None
    assert fast is not None
    assert slow == pytest.approx(2 * fast)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_traffic_that_is_no_rate_is_refused(tmp_path: Path, data: Path, rate: float) -> None:
    """The line names the option."""
    with pytest.raises(ConfigError, match=r"^--per-second: is \S+; it must be a number above 0$"):
        found(tmp_path, data, per_second=rate)


def test_one_row_is_too_few(tmp_path: Path) -> None:
    """A single row has no noise to speak of."""
    with pytest.raises(TableError, match="has too few rows: 1, and at least 2 are needed"):
        found(tmp_path, write_table(tmp_path / "data.csv", [[1, 0]]))


def test_regression_has_one_monitor(tmp_path: Path, data: Path) -> None:
    """Values further apart than the tolerance disagree."""
    told = found(tmp_path, data, compressed=0.5 * SURE, decision={"scale": "regression", "tolerance": 0.1})
    assert [each.name for each in told.monitors] == ["disagreement"]
    assert monitor(told).cells[0].seen == 0.02, "only the smaller score leaves 0.1 between two sigmoids"


def test_demo_shows_where_the_harm_is() -> None:
    """The student that never saw group quarters, on the committed rows: the harmed scopes and the blind spot."""
    done = tightrope("limits", DEMO, GOLDEN)
    assert (done.returncode, done.stderr) == (0, "")
    said = " ".join(done.stdout.split())
    assert re.search(r"disagreement \(the baseline with itself: 0\.000\d, at most 0\.00[0-2]\d\)", said)
    over = said[said.index("over its limit already: ") :].split(" blind spot")[0]
    assert "residence=group_quarters" in over
    assert "residence=household" not in over
    assert "blind spot: race=two_or_more_races, 2.1% of rows, at 0.3 needs about 6,172 requests: 10 min" in said
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if "limits: {" not in line)
    pasted = YAML(typ="safe").load("\n".join(done.stdout.splitlines()[-2:]))
    assert 0.046 < pasted["limits"]["disagreement"] < 0.1
    assert "disagreement" not in pasted["subgroup_limits"]


def test_demo_is_told_to_machines() -> None:
    """One line of strict JSON, without an infinity in it."""
    done = tightrope("limits", DEMO, GOLDEN, "--json", "--proposed", "--per-second", "100")
    told = json.loads(done.stdout, parse_constant=pytest.fail)
    assert (done.returncode, told["ok"], told["rows"], told["harms_beyond"]) == (0, True, 4000, "proposed")
    assert [len(each["cells"]) for each in told["monitors"]] == [23, 23, 1, 22, 23, 23]


def test_limit_below_the_noise_ends_with_code_1(tmp_path: Path) -> None:
    """After the tables, in one line that names the key."""
    path = moody(tmp_path / "moody.onnx")
    read_settings(tmp_path, {"models": {"m": {"baseline": str(path), "compressed": str(path)}}})
    data = write_table(tmp_path / "data.csv", [[(-1) ** i, 0] for i in range(50)])
    done = tightrope("limits", tmp_path / "tightrope.yaml", data)
    assert done.returncode == 1
    assert "disagreement" in done.stdout
    assert done.stderr.startswith("error models.m.limits.disagreement: 0.02 (the default) lies below the noise floor")
