"""The veto of labels through the whole fold: it holds breaches of differences back, returns a scope, and falls."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource, make_plan, verdicts_by_cell
from tests.support.judgement.labelled_rows import drawn_plan, hold, label, traffic
from tightrope.monitors.decide import Cause, deploy
from tightrope.monitors.dependence.units import EvidenceUnit, Independence
from tightrope.monitors.detector import BETS
from tightrope.monitors.label_records import PendingRow
from tightrope.monitors.plan import Plan, State, Transition, initial_state
from tightrope.monitors.records import Outcome
from tightrope.monitors.safemode import Input, Policy
from tightrope.monitors.verdict import NOT_WORSE
from tightrope.monitors.veto.drawing import LabelDraw
from tightrope.monitors.veto.wealth import UNLABELLED
from tightrope.service.adapters.wire.record_codec import decode_state, encode_state

MONITORS = ("disagreement", "class_miss", "accuracy", "excess_risk", "brier", "calibration")
HORIZON = 10_000.0
POLICY = Policy(min_dwell=100.0)


def labelled_plan(*monitors: str, **changes: object) -> Plan:
    """A plan of a model without subgroups, with labels."""
    settings = {"scopes": (), "label_horizon": HORIZON, "policy": POLICY} | changes
    return make_plan(*(monitors or MONITORS), **settings)  # type: ignore[arg-type]


def compressed_is_right(row: PendingRow) -> int:
    """The baseline is wrong in every disagreement."""
    return row.top_compressed


def baseline_is_right(row: PendingRow) -> int:
    """The compressed model is wrong in every disagreement."""
    return row.top_baseline


class Run:
    """A stream of rows whose labels arrive with them."""

    def __init__(self, plan: Plan, seed: int = 1) -> None:
        self.plan, self.state = plan, initial_state(plan)
        self.source, self.rng = RowSource(time=0.0), np.random.default_rng(seed)
        self.labels = 0
        self.moved: list[Transition] = []

    def feed(self, rows: int, rate: float, truth: object = compressed_is_right, *, labelled: bool = True) -> "Run":
        """Judge this many rows, 64 at a time."""
        for _ in range(rows // 64):
            batch = traffic(self.source, self.rng, 64, rate, self.plan.scopes[1:])
            self.state, transitions, held = hold(self.plan, self.state, batch)
            self.moved += [t for t in transitions if t.moved]
            if labelled:
                drawn = [row for row in held if row.disagree]
                self.state, transitions, count = label(self.plan, self.state, drawn, truth)  # type: ignore[arg-type]
                self.moved += [t for t in transitions if t.moved]
                self.labels += count
        return self


def test_a_baseline_that_is_wrong_in_every_disagreement_is_no_fallback_after_200_labels() -> None:
    """One row in twenty differs, 2.5 times the limit: the verdict says so, and that it is no harm."""
    run = Run(labelled_plan()).feed(4_800, 0.05)
    assert run.labels >= 200
    assert not run.state.modes[0].safe
    verdicts = verdicts_by_cell(run.plan, run.state)
    shown = verdicts["model", "disagreement"]
    assert (shown.outcome, shown.not_worse) == (Outcome.WATCH, True)
    assert shown.text.endswith(NOT_WORSE)
    assert verdicts["model", "accuracy"].outcome is not Outcome.BREACH
    before = len(run.moved)
    assert len(run.feed(9_600, 0.05).moved) == before


def test_a_scope_in_safe_mode_returns_on_labels_that_show_no_harm() -> None:
    """It breached before enough labels were there; dwell first, then the return says why."""
    run = Run(labelled_plan()).feed(4_800, 0.3)
    assert [t.trigger for t in run.moved] == [Input.BREACH, Input.RECOVERED]
    assert run.moved[1].reason.endswith(NOT_WORSE)
    assert run.moved[1].time - run.moved[0].time >= POLICY.min_dwell


def test_without_labels_and_with_labels_of_no_probability_a_difference_is_a_breach() -> None:
    """Labels that were not drawn by the plan show nothing about the rows without one."""
    unlabelled = Run(labelled_plan()).feed(4_800, 0.05, labelled=False)
    assert unlabelled.state.modes[0].safe
    for probability in (0.0, 0.5):
        run = Run(labelled_plan())
        for _ in range(75):
            run.state, _, held = hold(run.plan, run.state, traffic(run.source, run.rng, 64, 0.05))
            drawn = [row for row in held if row.disagree]
            run.state, _, _ = label(run.plan, run.state, drawn, compressed_is_right, probability)
        assert not run.state.veto.active.any()
        assert run.state.modes[0].safe


def test_a_veto_falls_when_the_compressed_model_is_wrong_from_then_on() -> None:
    """A difference that was none to worry about becomes harm: the baseline answers."""
    run = Run(labelled_plan()).feed(4_800, 0.05)
    assert run.state.veto.active.all()
    run.feed(6_400, 0.15, baseline_is_right)
    assert not run.state.veto.active.any()
    assert run.state.modes[0].safe


def test_a_veto_falls_with_another_artefact_and_without_labels_for_a_horizon() -> None:
    """Labels of one artefact say nothing about another, and old ones nothing about now."""
    run = Run(labelled_plan()).feed(4_800, 0.05)
    moved = deploy(replace(run.plan, digest="d2", compressed_digest="c2"), run.state, Cause(1e6))[0]
    assert not moved.veto.active.any()
    assert run.feed(int(HORIZON) - 1_000, 0.0, labelled=False).state.veto.active.all()
    run.feed(2_000, 0.0, labelled=False)
    assert not run.state.veto.active.any()
    assert "horizon" in run.state.veto.cause


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_a_veto_falls_when_drawn_rows_get_no_label(share: float) -> None:
    """Labels that stop, or are chosen: the breach that it held back counts long before the horizon is over."""
    run, chosen = Run(labelled_plan()).feed(4_800, 0.05), np.random.default_rng(7)
    assert run.state.veto.active.all()
    for _ in range(20_000 // 64):
        run.state, _, held = hold(run.plan, run.state, traffic(run.source, run.rng, 64, 0.05))
        drawn = [row for row in held if row.disagree and chosen.random() < share]
        run.state, _, _ = label(run.plan, run.state, drawn, compressed_is_right)
        if not run.state.veto.active.any():
            break
    assert run.state.veto.cause == UNLABELLED
    assert run.source.time - 4_800 < HORIZON
    assert run.feed(640, 0.05, labelled=False).state.modes[0].safe


def test_labels_that_come_late_show_what_they_show_once_they_keep_up() -> None:
    """A thousand rows behind: no veto while hundreds of drawn rows wait, one from the next cohort on."""
    run = Run(labelled_plan("disagreement", "accuracy"))
    waiting: list[PendingRow] = []
    held_veto = []
    for _ in range(400):
        run.state, _, held = hold(run.plan, run.state, traffic(run.source, run.rng, 64, 0.3))
        waiting += [row for row in held if row.disagree]
        due, waiting = waiting[:-300] if len(waiting) > 300 else [], waiting[-300:]
        run.state, _, _ = label(run.plan, run.state, due, compressed_is_right)
        held_veto.append(bool(run.state.veto.active.any()))
    assert not any(held_veto[:25])
    assert held_veto[-1]


def test_rows_that_depend_on_each_other_have_no_veto() -> None:
    """A window is one step of evidence: labels could not prove anything in time."""
    plan = labelled_plan(unit=EvidenceUnit(Independence.WINDOW))
    assert not Run(plan).feed(4_800, 0.05).state.veto.active.any()


@pytest.mark.parametrize("right", [0.0, 0.3])
def test_some_of_the_disagreements_suffice(right: float) -> None:
    """Drawn with a probability of a quarter, known before the row: the others wait for no label."""
    plan, rng = drawn_plan(0.25), np.random.default_rng(3)
    run = Run(plan)
    for _ in range(300):
        run.state, _, held = hold(plan, run.state, traffic(run.source, run.rng, 64, 0.05))
        drawn = [row for row in held if row.disagree]
        run.state, _, count = label(
            plan, run.state, drawn, lambda row: row.top_baseline if rng.random() < right else row.top_compressed, 0.25
        )
        run.labels += count
    assert 150 < run.labels < 330
    assert run.state.veto.active.all()


def test_a_subgroup_has_a_veto_of_its_own() -> None:
    """Its rows differ without harm; those of the other one have no label, and it is answered by the baseline."""
    plan = labelled_plan("disagreement", "accuracy", scopes=("half=labelled", "half=not"))
    run = Run(plan)
    for _ in range(200):
        first = np.arange(64) % 2 == 0
        batch = replace(
            traffic(run.source, run.rng, 64, 0.2, plan.scopes[1:]), member=np.stack([first, ~first], axis=1)
        )
        run.state, _, held = hold(plan, run.state, batch)
        run.state, _, _ = label(plan, run.state, [r for r in held if r.disagree and r.member[0]], compressed_is_right)
    states = dict(zip(plan.scopes, [mode.safe for mode in run.state.modes], strict=True))
    assert states["half=not"]
    assert not states["half=labelled"]


@pytest.mark.parametrize("size", [7, 64, 300])
def test_batches_of_labels_and_a_restart_change_nothing(size: int) -> None:
    """Rows and labels in the same order, cut otherwise: the same state at the end."""
    plan = labelled_plan(tick_rows=16)
    rows = traffic(RowSource(time=0.0), np.random.default_rng(5), 2_100, 0.02)

    def judged(step: int, *, restart: bool) -> State:
        state, held = initial_state(plan), []
        for start in range(0, len(rows), step):
            state, _, more = hold(plan, state, rows.take(slice(start, start + step)))
            held += [row for row in more if row.disagree]
            state = decode_state(encode_state(state)) if restart else state
        for start in range(0, len(held), step):
            state, _, _ = label(plan, state, held[start : start + step], compressed_is_right)
            state = decode_state(encode_state(state)) if restart else state
        return state

    whole, parts = judged(2_100, restart=False), judged(size, restart=True)
    assert encode_state(whole) == encode_state(parts)


def test_at_the_limit_a_veto_is_rare() -> None:
    """Models that differ in one row in twenty, the baseline right in three fifths of these: a gap of 1 in 100 rows, the
    limit. Cohorts of 500 labelled disagreements that ever hold a veto are at most 1 in 100.
    """
    rng = np.random.default_rng(11)
    plan = labelled_plan("disagreement", "accuracy", samples=1e12, tick_rows=512)
    cohorts, erred = 0, 0
    for seed in range(3):
        run, held_veto = Run(plan, seed), False
        for _ in range(60):
            batch = traffic(run.source, run.rng, 4_096, 0.05)
            run.state, _, held = hold(plan, run.state, batch)
            drawn = [row for row in held if row.disagree]
            run.state, _, count = label(
                plan, run.state, drawn, lambda row: row.top_baseline if rng.random() < 0.6 else row.top_compressed
            )
            run.labels += count
            held_veto |= bool(run.state.veto.active.any())
        cohorts += run.labels // 500
        erred += held_veto
    assert cohorts >= 60
    assert erred <= 1


@pytest.mark.parametrize(("chance", "weight"), [(0.05, 1.0), (0.25, 0.2), (0.5, 0.1)])
def test_labels_weigh_by_the_probability_of_their_own_row(chance: float, weight: float) -> None:
    """Under a daily cap: a disagreement that is drawn ten times as often as the least one has a tenth of its weight."""
    plan = drawn_plan(0.05, label_draw=LabelDraw(0.5, 0.01, floor=0.05))
    rows = replace(
        traffic(RowSource(time=0.0), np.random.default_rng(1), 64, 1.0),
        draw=np.zeros(64),
        chances=np.full((64, 2), [chance, 0.01]),
    )
    state, _, held = hold(plan, initial_state(plan), rows)
    assert label(plan, state, held, compressed_is_right, 0.1)[2] == 0
    state, _, count = label(plan, state, held, compressed_is_right, chance)
    assert count == 64
    assert np.allclose(state.veto.log_wealth[0], 64 * np.log1p(0.98 * weight * np.array(BETS)))
