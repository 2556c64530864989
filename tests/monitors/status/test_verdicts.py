"""Verdicts of every scope: a pass needs rows, a breach stays, and an unreliable verdict has a note."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import (
    CLASS_MONITORS,
    SCOPES,
    RowSource,
    judge_rows,
    judged_count,
    make_comparisons,
    make_plan,
    verdicts_by_cell,
    watched_cells,
)
from tightrope.monitors.intervals.estimates import rows_to_pass
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import Fault, Outcome, Stream
from tightrope.monitors.status.verdicts import verdicts
from tightrope.monitors.verdict import PASS_MARGIN

ROW_MONITORS = [name for name, monitor in CLASS_MONITORS.items() if monitor.stream is Stream.COMPARISONS]


def make_quiet_plan(**changes: object) -> Plan:
    """Build a plan of one monitor, in ticks of four rows."""
    return make_plan("disagreement", tick_rows=4, **changes)


def test_no_verdict_passes_without_rows() -> None:
    """Every monitor of every scope starts as insufficient, the model first, without figures."""
    plan = make_plan()
    shown = verdicts(plan, initial_state(plan))
    cells = [(v.scope, v.monitor) for v in shown]
    assert cells[0] == ("model", "sight")
    assert len(cells) == len(set(cells))
    assert set(cells[1:]) == watched_cells(list(CLASS_MONITORS)) | {(scope, "sight") for scope in SCOPES}
    assert [scope for scope, _ in cells] == sorted((scope for scope, _ in cells), key=("model", *SCOPES).index)
    assert {(v.outcome, v.count, v.mean, v.recent, v.recovery) for v in shown} == {
        (Outcome.INSUFFICIENT, 0, None, None, None),
        (Outcome.INSUFFICIENT, 0, None, 0.0, None),
    }
    assert all(v.evidence == -np.inf for v in shown if v.monitor != "sight")


def test_healthy_traffic_passes_only_where_harm_would_have_shown() -> None:
    """Four thousand rows suffice for a rate, but not without observations, nor in a subgroup of a few rows."""
    plan = make_plan(*ROW_MONITORS)
    member = np.stack([np.arange(4096) % 200 == 0, np.arange(4096) % 2 == 0, np.zeros(4096)], axis=1)
    shown = verdicts_by_cell(plan, judge_rows(plan, make_comparisons(4096, member=member))[0])
    passed = {key for key, verdict in shown.items() if verdict.outcome is Outcome.PASS}
    observed = {"disagreement", "confidence", "confidence_shape", "confidence_jump", "mix", "refusal_rate"}
    assert passed == {key for key in watched_cells(observed) if key[0] in {"model", "group=b"}}
    assert {shown[key].outcome for key in shown.keys() - passed} == {Outcome.INSUFFICIENT}
    assert shown["group=a", "disagreement"].count == 21
    assert shown["model", "refusal_persistence"].count == 0


def test_verdict_shows_its_basis() -> None:
    """Rows, their mean, the limit, and evidence against threshold in powers of ten."""
    plan = make_quiet_plan(samples=1e6)
    state, _ = judge_rows(plan, make_comparisons(8, disagree=[1, 0, 0, 0, 0, 0, 0, 0], member=[True, False, False]))
    model, group = (
        verdicts_by_cell(plan, state)["model", "disagreement"],
        verdicts_by_cell(plan, state)["group=a", "disagreement"],
    )
    assert (model.count, model.mean, model.recent, model.limit, model.errors) == (8, 0.125, 0.125, 0.02, 0)
    assert (group.count, group.mean, group.limit) == (8, 0.125, 0.04)
    assert (model.threshold, model.recovery_threshold) == (pytest.approx(6), pytest.approx(5))
    assert model.evidence == pytest.approx(state.cells[0].path[0, 0, -1, 0] / np.log(10))
    assert model.needed == rows_to_pass(plan.rules[0], {})[0]
    assert verdicts_by_cell(plan, judge_rows(plan, make_comparisons(8))[0])["group=a", "disagreement"].mean is None


def test_fault_makes_an_error_where_its_row_belongs() -> None:
    """The scope counts it; other subgroups are not affected, and the faulty row enters no figure."""
    plan = make_quiet_plan()
    rows = make_comparisons(
        4, fault=[0, 0, Fault.NOT_FINITE, 0], member=[[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]], disagree=[0, 0, 1, 0]
    )
    shown = verdicts_by_cell(plan, judge_rows(plan, rows)[0])
    assert {scope: (v.outcome, v.errors, v.count) for (scope, _), v in shown.items()} == {
        "model": (Outcome.ERROR, 1, 3),
        "group=a": (Outcome.ERROR, 1, 1),
        "group=b": (Outcome.INSUFFICIENT, 0, 2),
        "half=left": (Outcome.INSUFFICIENT, 0, 0),
    }
    assert shown["model", "disagreement"].mean == 0.0


def test_error_stays_until_a_tick_of_the_scope_is_sound() -> None:
    """Ticks without its rows do not clear it; the count of errors only grows."""
    plan, traffic = make_quiet_plan(), RowSource()
    a, b = [True, False, False], [False, True, False]
    state, _ = judge_rows(plan, traffic.rows(4, fault=[0, 0, 0, Fault.RUN_FAILED], member=a))
    outcomes = []
    for member in (b, a):
        state, _ = judge_rows(plan, traffic.rows(4, member=member), state=state)
        shown = verdicts_by_cell(plan, state)
        outcomes.append(
            [(shown[s, "disagreement"].outcome, shown[s, "disagreement"].errors) for s in ("model", "group=a")]
        )
    insufficient, error = Outcome.INSUFFICIENT, Outcome.ERROR
    assert outcomes == [[(insufficient, 1), (error, 1)], [(insufficient, 1), (insufficient, 1)]]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_pass_needs_rows_without_fault_or_breach(data: st.DataObject) -> None:
    """Enough rows, no fault in the latest tick, no breach: only all three together pass. A verdict without enough rows
    says how many more it needs, unless an alarm is near: it says so then.
    """
    plan, traffic = make_quiet_plan(), RowSource()
    state = initial_state(plan)
    for _ in range(data.draw(st.integers(1, 3))):
        rows = 4 * data.draw(st.integers(1, 300))
        fault = np.where(np.arange(rows) % data.draw(st.integers(1, 40)), Fault.NONE, data.draw(st.sampled_from(Fault)))
        disagree = np.arange(rows) % data.draw(st.integers(1, 80)) == 0
        state, _ = judge_rows(plan, traffic.rows(rows, fault=fault, disagree=disagree, member=[1, 0, 0]), state=state)
        for verdict, mode, faulty in zip(
            verdicts_by_cell(plan, state).values(), state.modes, state.faulty, strict=True
        ):
            if verdict.outcome is Outcome.PASS:
                assert not faulty
                assert not mode.safe
                assert verdict.count >= verdict.needed
                assert verdict.evidence < verdict.threshold - PASS_MARGIN
            if verdict.outcome is not Outcome.INSUFFICIENT:
                assert verdict.more is None
            elif verdict.more is None:
                assert verdict.evidence >= verdict.threshold - PASS_MARGIN
                assert "of what an alarm needs" in verdict.text


def test_verdict_shows_the_variant_with_the_most_evidence() -> None:
    """It has the name, rows, mean and evidence of that variant."""
    plan = make_plan("mix", tick_rows=4, classes=3)
    top = np.where(np.arange(40) % 4 == 0, 1 + np.arange(40) // 4 % 2, 0)
    state, _ = judge_rows(plan, make_comparisons(40, top_compressed=top, member=[True, False, False]))
    shown = verdicts_by_cell(plan, state)["group=a", "mix"]
    by_class = plan.rules[0].alarm.evidence(state.cells[0].log_mass)[:, 1] / np.log(10)
    assert shown.evidence == by_class[0] > max(by_class[1:])
    assert (shown.variant, shown.count, shown.mean) == ("class 0", 40, -0.25)
    assert ("model", "mix") not in verdicts_by_cell(plan, state)


def test_verdict_shows_no_variant_without_rows() -> None:
    """Its seed waits for rows, so it has no evidence."""
    plan = make_plan("calibration", tick_rows=16)
    right = np.ones(400)
    rows = make_comparisons(400, confidence_compressed=0.99, correct_compressed=right, correct_baseline=right)
    state, _ = judge_rows(plan, rows, stream=Stream.LABELS)
    evidence = plan.rules[0].alarm.evidence(state.cells[0].log_mass)[:, 0]
    assert evidence[0] == -np.inf < evidence[9]
    shown = verdicts_by_cell(plan, state)["model", "calibration"]
    assert (shown.variant, shown.count) == ("0.9 to 1", 400)
    assert shown.recent is not None


def test_breach_names_its_variant() -> None:
    """In the event's evidence and in its reason."""
    plan = make_plan("mix", tick_rows=16, classes=3)
    rows = RowSource().rows(320, top_baseline=1, top_compressed=np.arange(320) % 2, member=[True, False, False])
    state, happened = judge_rows(plan, rows)
    breach = happened[0]
    (case,) = breach.evidence["monitors"]  # type: ignore[misc]
    assert breach.scope == "group=a"
    assert case["variant"] in {"class 0", "class 1"}
    assert breach.reason.startswith(f"mix ({case['variant']}) ")
    assert verdicts_by_cell(plan, state)["group=a", "mix"].outcome is Outcome.BREACH


@pytest.mark.parametrize(("unsure", "outcome"), [(600, Outcome.INSUFFICIENT), (0, Outcome.PASS), (300, Outcome.PASS)])
def test_pass_needs_rows_in_every_bin_that_has_a_share_of_them(unsure: int, outcome: Outcome) -> None:
    """Beside 8,000 rows that a model is sure of: six hundred are more than 5 % and prove too little,
    three hundred need not prove anything, and bins without rows neither.
    """
    plan, rng = make_plan("calibration", tick_rows=64), np.random.default_rng(0)
    confidence = rng.permutation(np.repeat([0.95, 0.55], [8_000, unsure]))
    truth = rng.random(len(confidence)) < confidence
    rows = make_comparisons(
        len(confidence), confidence_compressed=confidence, correct_compressed=truth, correct_baseline=truth
    )
    state, happened = judge_rows(plan, rows, stream=Stream.LABELS)
    assert happened == []
    assert verdicts_by_cell(plan, state)["model", "calibration"].outcome is outcome


def repeated_baseline(n: int, contradicted: int) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Build the column of n repeated baseline runs, with ``contradicted`` that differ from the first."""
    return {"self_disagree": (np.arange(n) < contradicted).astype(float)}


@pytest.mark.parametrize(
    ("repeats", "contradicted", "noted"), [(1600, 80, True), (1600, 32, False), (1600, 40, False), (100, 5, False)]
)
def test_baseline_that_contradicts_itself_beyond_the_limit_makes_an_error(
    repeats: int, contradicted: int, *, noted: bool
) -> None:
    """At 5 % of 1600 rows the limit of 2 % is certainly below the noise.

    By the Chernoff bound this is not certain at 2.5 %, nor at 5 % of a hundred rows. Rows that ran once do not count.
    """
    plan = make_quiet_plan()
    state, _ = judge_rows(plan, make_comparisons(4000, offset=np.arange(4000)))
    fresh = RowSource(offset=4000, time=4000.0)
    state, _ = judge_rows(plan, fresh.rows(repeats, **repeated_baseline(repeats, contradicted)), state=state)
    shown = verdicts_by_cell(plan, state)["model", "disagreement"]
    assert state.noise[0].tolist() == [repeats, contradicted]
    assert shown.count >= shown.needed
    assert shown.outcome is (Outcome.ERROR if noted else Outcome.PASS)
    expected = f"the baseline contradicts itself on {contradicted / repeats:.2%} of {repeats} rows: a limit of 0.02 is"
    assert shown.note.startswith(expected) == noted
    assert bool(shown.note) == noted


@pytest.mark.parametrize(("own_loss", "noted"), [(1e-4, False), (0.05, True)])
def test_noise_of_losses_is_their_mean(own_loss: float, *, noted: bool) -> None:
    """A baseline that is never bit for bit the same differs from itself by its loss, not on every row."""
    plan = make_quiet_plan()
    state, _ = judge_rows(plan, make_comparisons(1600, offset=np.arange(1600), loss=0.0, self_disagree=own_loss))
    repeats, total = state.noise[0].tolist()
    assert (repeats, total) == (judged_count(state), pytest.approx(own_loss * repeats))
    assert bool(verdicts_by_cell(plan, state)["model", "disagreement"].note) == noted


def test_noise_is_counted_by_scope() -> None:
    """Only the verdict of disagreement has a note."""
    plan = make_plan("disagreement", "confidence", tick_rows=4)
    rows = make_comparisons(
        400, self_disagree=1.0, member=np.repeat([[True, False, False], [False, True, False]], 200, axis=0)
    )
    state, _ = judge_rows(plan, rows)
    assert state.noise.tolist() == [[400, 400], [200, 200], [200, 200], [0, 0]]
    notes = {key for key, verdict in verdicts_by_cell(plan, state).items() if verdict.note}
    assert notes == {(scope, "disagreement") for scope in ("model", "group=a", "group=b")}


def test_breach_outweighs_a_noisy_baseline() -> None:
    """Harm outweighs doubt."""
    plan = make_quiet_plan()
    state, _ = judge_rows(plan, make_comparisons(400, disagree=True, self_disagree=1.0))
    assert verdicts_by_cell(plan, state)["model", "disagreement"].outcome is Outcome.BREACH
