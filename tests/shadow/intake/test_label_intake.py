"""Labels and rows of a round: tests/shadow/test_judge_round.py has each way in which they meet."""

from pathlib import Path

from tests.support.judgement.labelled_judge import NOW, batches, labelled, truths
from tightrope.monitors.plan import initial_state
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.shadow.intake.label_intake import EXPIRY_STEP_SHARE
from tightrope.shadow.judge_round import JudgeRound


def test_rows_of_an_earlier_judge_find_their_labels(tmp_path: Path) -> None:
    """A restored row is joined with a label of this round; nothing of it is counted as compared again."""
    plan = labelled()
    judge_round = JudgeRound({"m": plan}, {"m": initial_state(plan)}, SqliteStore(tmp_path / "db"), "host", NOW)
    (rows,) = batches(1)
    judge_round.restore_rows(plan, rows, {}, 0.0)
    judge_round.add_labels(truths(rows))
    assert judge_round.states["m"].labels["joined"] == len(rows)
    assert judge_round.states["m"].compared[0] == 0


def test_expiry_waits_for_a_part_of_the_horizon(tmp_path: Path) -> None:
    """It reads all rows, so it is not made at every round."""
    plan = labelled()
    judge_round = JudgeRound({"m": plan}, {"m": initial_state(plan)}, SqliteStore(tmp_path / "db"), "host", NOW)
    last = judge_round.expire(plan, NOW, float("-inf"))
    assert last == NOW - plan.label_horizon
    assert judge_round.expire(plan, NOW + 0.5 * EXPIRY_STEP_SHARE * plan.label_horizon, last) == last
    assert judge_round.expire(plan, NOW + 2 * EXPIRY_STEP_SHARE * plan.label_horizon, last) > last
