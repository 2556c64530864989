"""Verdicts of every scope: a pass needs rows, a breach stays, and an unreliable verdict has a note."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import (
    SCOPES,
    RowSource,
    judge_rows,
    make_comparisons,
    make_plan,
    verdicts_by_cell,
    watched_cells,
)
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import Fault, Outcome, Stream
from tightrope.monitors.status import verdicts

ROW_MONITORS = [name for name, monitor in CATALOGUE.items() if monitor.stream is Stream.COMPARISONS]


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
    assert set(cells[1:]) == watched_cells(list(CATALOGUE)) | {(scope, "sight") for scope in SCOPES}
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
    observed = {"disagreement", "confidence", "confidence_shape", "mix", "refusal_rate"}
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
    assert model.needed == plan.rules[0].needed[0]
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
    """Enough rows, no fault in the latest tick, no breach: only all three together pass."""
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
            earned = verdict.count >= verdict.needed and not faulty and not mode.safe
            earned = earned and verdict.evidence < verdict.threshold
            assert (verdict.outcome is Outcome.PASS) == earned


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
    """Its seed alone would otherwise hide a variant that has rows."""
    plan = make_plan("calibration", tick_rows=16)
    right = np.ones(400)
    rows = make_comparisons(400, confidence_compressed=0.99, correct_compressed=right, correct_baseline=right)
    state, _ = judge_rows(plan, rows, stream=Stream.LABELS)
    evidence = plan.rules[0].alarm.evidence(state.cells[0].log_mass)[:, 0]
    assert evidence[0] > evidence[9]
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
    assert breach.reason.startswith(f"mix of {case['variant']} ")
    assert verdicts_by_cell(plan, state)["group=a", "mix"].outcome is Outcome.BREACH


def test_pass_needs_rows_in_every_variant() -> None:
    """Calibration in one tenth of confidence is no evidence for the others."""
    plan = make_plan("calibration", tick_rows=64, samples=10.0)
    needed = int(plan.rules[0].needed[0])
    for empty, outcome in ((None, Outcome.PASS), (4, Outcome.INSUFFICIENT)):
        confidence = np.tile(np.arange(10) / 10 + 0.05, needed + 7)
        confidence[confidence == 0.45] = 0.45 if empty is None else 0.35
        rng = np.random.default_rng(0)
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


def test_subgroup_without_rows_is_unseen() -> None:
    """Its own verdict says so, with the rows that passed by; others are seen."""
    plan = make_plan("disagreement", scopes=("home=gq", "home=house", "home=other"))
    rows = make_comparisons(10_048, scopes=plan.scopes[1:], member=[False, True, False])
    before, after = (judge_rows(plan, rows.take(slice(n)))[0] for n in (9_984, 10_048))
    outcomes = [{v.scope: v for v in verdicts(plan, state) if v.monitor == "sight"} for state in (before, after)]
    assert outcomes[0]["home=gq"].outcome is Outcome.INSUFFICIENT
    unseen = outcomes[1]["home=gq"]
    assert (unseen.outcome, unseen.count, unseen.recent, unseen.limit) == (Outcome.UNSEEN, 0, 10_048.0, 10_000.0)
    assert "none of the last 10048 compared rows" in unseen.note
    assert (outcomes[1]["home=house"].outcome, outcomes[1]["home=house"].note) == (Outcome.PASS, "")
    assert outcomes[1]["home=other"].outcome is Outcome.INSUFFICIENT


def test_subgroup_that_has_rows_again_is_seen() -> None:
    """A renamed value is unseen after the rows that its past share should have brought, until it comes again."""
    plan, traffic = make_plan("disagreement", scopes=("home=gq", "home=house")), RowSource()
    both, house = [[True, False], [False, True]] * 640, [False, True]
    state = None
    outcomes = []
    for count, member in ((1_280, both), (64, house), (64, [*[house] * 63, [True, False]])):
        rows = make_comparisons(count, scopes=plan.scopes[1:], member=member, offset=traffic.offset + np.arange(count))
        traffic.offset += count
        state, _ = judge_rows(plan, rows, state=state)
        outcomes += [v.outcome for v in verdicts(plan, state) if (v.scope, v.monitor) == ("home=gq", "sight")]
    assert outcomes == [Outcome.PASS, Outcome.UNSEEN, Outcome.PASS]
    assert state is not None
    assert state.sighted.tolist() == [1_408, 1_408, 1_407]
