"""What is said of every scope: a pass is earned, a breach stays, and what cannot be believed says so."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import SCOPES, Traffic, comparisons, fold, plan, said, watching
from tests.support.judgement.labelled_judge import labelled
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.plan import Plan, start
from tightrope.monitors.records import Comparisons, Fault, Outcome, Stream
from tightrope.monitors.status import coverage, dependent, verdicts

OF_ROWS = [name for name, question in CATALOGUE.items() if question.stream is Stream.COMPARISONS]


def quiet(**changes: object) -> Plan:
    """One question, ticks of four rows."""
    return plan("disagreement", tick_rows=4, **changes)


def test_nothing_seen_passes_nowhere() -> None:
    """Every monitor of every scope starts as insufficient, the model first, with nothing to show."""
    whole = plan()
    found = verdicts(whole, start(whole))
    places = [(v.scope, v.monitor) for v in found]
    assert places[0] == ("model", "sight")
    assert len(places) == len(set(places))
    assert set(places[1:]) == watching(list(CATALOGUE))
    assert [scope for scope, _ in places] == sorted((scope for scope, _ in places), key=("model", *SCOPES).index)
    assert {(v.outcome, v.count, v.mean, v.recent, v.recovery) for v in found} == {
        (Outcome.INSUFFICIENT, 0, None, None, None),
        (Outcome.INSUFFICIENT, 0, None, 0.0, None),
    }
    assert all(v.evidence == -np.inf for v in found[1:])


def test_healthy_traffic_passes_only_where_harm_would_have_been_seen() -> None:
    """Four thousand rows are enough for a rate, but not where no row spoke, nor in a subgroup of a few rows."""
    whole = plan(*OF_ROWS)
    member = np.stack([np.arange(4096) % 200 == 0, np.arange(4096) % 2 == 0, np.zeros(4096)], axis=1)
    found = said(whole, fold(whole, comparisons(4096, member=member))[0])
    passed = {key for key, verdict in found.items() if verdict.outcome is Outcome.PASS}
    heard = {"disagreement", "confidence", "confidence_shape", "mix", "refusal_rate"}
    assert passed == {key for key in watching(heard) if key[0] in {"model", "group=b"}}
    assert {found[key].outcome for key in found.keys() - passed} == {Outcome.INSUFFICIENT}
    assert found["group=a", "disagreement"].count == 21
    assert found["model", "refusal_persistence"].count == 0


def test_verdict_shows_what_it_was_made_from() -> None:
    """Rows, their mean, the limit, evidence against threshold in powers of ten."""
    whole = quiet(samples=1e6)
    state, _ = fold(whole, comparisons(8, disagree=[1, 0, 0, 0, 0, 0, 0, 0], member=[True, False, False]))
    model, group = said(whole, state)["model", "disagreement"], said(whole, state)["group=a", "disagreement"]
    assert (model.count, model.mean, model.recent, model.limit, model.errors) == (8, 0.125, 0.125, 0.02, 0)
    assert (group.count, group.mean, group.limit) == (8, 0.125, 0.04)
    assert (model.threshold, model.recovery_threshold) == (pytest.approx(6), pytest.approx(5))
    assert model.evidence == pytest.approx(state.cells[0].path[0, 0, -1, 0] / np.log(10))
    assert model.needed == whole.rules[0].needed[0]
    assert said(whole, fold(whole, comparisons(8))[0])["group=a", "disagreement"].mean is None


def test_fault_makes_an_error_where_its_row_belongs() -> None:
    """With a count; other subgroups are not touched, and the faulty row is in no monitor's figures."""
    whole = quiet()
    rows = comparisons(
        4, fault=[0, 0, Fault.NOT_FINITE, 0], member=[[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]], disagree=[0, 0, 1, 0]
    )
    found = said(whole, fold(whole, rows)[0])
    assert {scope: (v.outcome, v.errors, v.count) for (scope, _), v in found.items()} == {
        "model": (Outcome.ERROR, 1, 3),
        "group=a": (Outcome.ERROR, 1, 1),
        "group=b": (Outcome.INSUFFICIENT, 0, 2),
        "half=left": (Outcome.INSUFFICIENT, 0, 0),
    }
    assert found["model", "disagreement"].mean == 0.0


def test_error_stays_until_a_tick_of_the_scope_is_sound() -> None:
    """Ticks without its rows say nothing; the count of errors only grows."""
    whole, traffic = quiet(), Traffic()
    a, b = [True, False, False], [False, True, False]
    state, _ = fold(whole, traffic.rows(4, fault=[0, 0, 0, Fault.RUN_FAILED], member=a))
    seen = []
    for member in (b, a):
        state, _ = fold(whole, traffic.rows(4, member=member), state=state)
        found = said(whole, state)
        seen.append([(found[s, "disagreement"].outcome, found[s, "disagreement"].errors) for s in ("model", "group=a")])
    insufficient, error = Outcome.INSUFFICIENT, Outcome.ERROR
    assert seen == [[(insufficient, 1), (error, 1)], [(insufficient, 1), (insufficient, 1)]]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_pass_is_never_given_to_what_was_not_measured(data: st.DataObject) -> None:
    """Enough rows, none faulty in the latest tick, no breach: only all three together pass."""
    whole, traffic = quiet(), Traffic()
    state = start(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        rows = 4 * data.draw(st.integers(1, 300))
        fault = np.where(np.arange(rows) % data.draw(st.integers(1, 40)), Fault.NONE, data.draw(st.sampled_from(Fault)))
        disagree = np.arange(rows) % data.draw(st.integers(1, 80)) == 0
        state, _ = fold(whole, traffic.rows(rows, fault=fault, disagree=disagree, member=[1, 0, 0]), state=state)
        for verdict, mode, faulty in zip(said(whole, state).values(), state.modes, state.faulty, strict=True):
            earned = verdict.count >= verdict.needed and not faulty and not mode.safe
            earned = earned and verdict.evidence < verdict.threshold
            assert (verdict.outcome is Outcome.PASS) == earned


def test_variant_with_the_most_evidence_speaks() -> None:
    """By its name, with its own rows, mean and evidence."""
    whole = plan("mix", tick_rows=4, classes=3)
    top = np.where(np.arange(40) % 4 == 0, 1 + np.arange(40) // 4 % 2, 0)
    state, _ = fold(whole, comparisons(40, top_compressed=top, member=[True, False, False]))
    shown = said(whole, state)["group=a", "mix"]
    by_class = whole.rules[0].alarm.evidence(state.cells[0].log_mass)[:, 1] / np.log(10)
    assert shown.evidence == by_class[0] > max(by_class[1:])
    assert (shown.variant, shown.count, shown.mean) == ("class 0", 40, -0.25)
    assert ("model", "mix") not in said(whole, state)


def test_variant_without_rows_does_not_speak() -> None:
    """What others' samples seed it with would hide a variant that has something to show."""
    whole = plan("calibration", tick_rows=16)
    right = np.ones(400)
    rows = comparisons(400, confidence_compressed=0.99, correct_compressed=right, correct_baseline=right)
    state, _ = fold(whole, rows, stream=Stream.LABELS)
    evidence = whole.rules[0].alarm.evidence(state.cells[0].log_mass)[:, 0]
    assert evidence[0] > evidence[9]
    shown = said(whole, state)["model", "calibration"]
    assert (shown.variant, shown.count) == ("0.9 to 1", 400)
    assert shown.recent is not None


def test_breach_names_its_variant() -> None:
    """In the event's case and in its reason; all variants of the scope start anew, and owe their evidence."""
    whole = plan("mix", tick_rows=16, classes=3)
    rows = Traffic().rows(320, top_baseline=1, top_compressed=np.arange(320) % 2, member=[True, False, False])
    state, happened = fold(whole, rows)
    breach = happened[0]
    (case,) = breach.evidence["monitors"]  # type: ignore[misc]
    assert breach.scope == "group=a"
    assert case["variant"] in {"class 0", "class 1"}
    assert breach.reason.startswith(f"mix of {case['variant']} ")
    assert said(whole, state)["group=a", "mix"].outcome is Outcome.BREACH


def test_pass_needs_rows_in_every_variant() -> None:
    """Calibration in one tenth of confidence says nothing of the others."""
    whole = plan("calibration", tick_rows=64, samples=10.0)
    needed = int(whole.rules[0].needed[0])
    for empty, outcome in ((None, Outcome.PASS), (4, Outcome.INSUFFICIENT)):
        sure = np.tile(np.arange(10) / 10 + 0.05, needed + 7)
        sure[sure == 0.45] = 0.45 if empty is None else 0.35
        rng = np.random.default_rng(0)
        truth = rng.random(len(sure)) < sure
        rows = comparisons(len(sure), confidence_compressed=sure, correct_compressed=truth, correct_baseline=truth)
        state, happened = fold(whole, rows, stream=Stream.LABELS)
        assert happened == []
        assert said(whole, state)["model", "calibration"].outcome is outcome


def asked_twice(n: int, contradicted: int) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """The baseline's second answer to n rows, of which so many contradict the first."""
    return {"self_disagree": (np.arange(n) < contradicted).astype(float)}


@pytest.mark.parametrize(
    ("asked", "contradicted", "told"), [(1600, 80, True), (1600, 32, False), (1600, 40, False), (100, 5, False)]
)
def test_baseline_that_contradicts_itself_beyond_the_limit_makes_an_error(
    asked: int, contradicted: int, *, told: bool
) -> None:
    """At 5 % of 1600 rows it is sure that the limit of 2 % is below the noise; by Chernoff's bound, at 2.5 % it is not,
    nor at 5 % of a hundred rows. Rows that were not asked twice count for nothing.
    """
    whole = quiet()
    state, _ = fold(whole, comparisons(4000, offset=np.arange(4000)))
    fresh = Traffic(offset=4000, time=4000.0)
    state, _ = fold(whole, fresh.rows(asked, **asked_twice(asked, contradicted)), state=state)
    shown = said(whole, state)["model", "disagreement"]
    assert state.noise[0].tolist() == [asked, contradicted]
    assert shown.count >= shown.needed
    assert shown.outcome is (Outcome.ERROR if told else Outcome.PASS)
    expected = f"the baseline contradicts itself on {contradicted / asked:.2%} of {asked} rows: a limit of 0.02 is"
    assert shown.note.startswith(expected) == told
    assert bool(shown.note) == told


def test_noise_is_counted_where_it_belongs() -> None:
    """Of each scope, and only disagreement is doubted."""
    whole = plan("disagreement", "confidence", tick_rows=4)
    rows = comparisons(
        400, self_disagree=1.0, member=np.repeat([[True, False, False], [False, True, False]], 200, axis=0)
    )
    state, _ = fold(whole, rows)
    assert state.noise.tolist() == [[400, 400], [200, 200], [200, 200], [0, 0]]
    notes = {key for key, verdict in said(whole, state).items() if verdict.note}
    assert notes == {(scope, "disagreement") for scope in ("model", "group=a", "group=b")}


def test_breach_is_told_even_by_a_noisy_baseline() -> None:
    """Harm outweighs doubt."""
    whole = quiet()
    state, _ = fold(whole, comparisons(400, disagree=True, self_disagree=1.0))
    assert said(whole, state)["model", "disagreement"].outcome is Outcome.BREACH


def bursts(n: int, chance: float) -> Comparisons:
    """Rows that disagree as the row before did, with this chance; else by a throw at 10 %. The model counts every
    second one.
    """
    rng = np.random.default_rng(3)
    stays, throw = rng.random(n) < chance, rng.random(n) < 0.1
    thrown = throw[np.maximum.accumulate(np.where(stays, 0, np.arange(n)))]
    return comparisons(2 * n, disagree=np.repeat(thrown, 2), draw=np.arange(2 * n) % 2)


@pytest.mark.parametrize(("chance", "warned"), [(0.0, False), (0.02, False), (0.15, True), (0.5, True)])
def test_neighbours_that_depend_on_each_other_are_warned_of(chance: float, *, warned: bool) -> None:
    """The lag-1 autocorrelation is that of numpy, over the rows that the model counts."""
    whole = plan("disagreement", tick_rows=16, samples=1e300, rates=np.array([0.5, 1, 1, 1]))
    rows = bursts(8_000, chance)
    counted = rows.disagree[::2].astype(float)
    state, _ = fold(whole, rows)
    found = state.lag.correlation
    assert found == pytest.approx(np.corrcoef(counted[:-1], counted[1:])[0, 1], abs=1e-3)
    assert found == pytest.approx(chance, abs=0.03)
    assert dependent(state) == warned


def test_few_rows_warn_of_nothing() -> None:
    """Chance alone makes any correlation in a handful; without variance there is none to speak of."""
    whole = quiet()
    assert not dependent(start(whole))
    assert start(whole).lag.correlation is None
    state, _ = fold(whole, comparisons(16, disagree=np.arange(16) < 4))
    assert (state.lag.correlation or 0) > 0.4
    assert dependent(state) == (state.lag.correlation > 0.05 + 2 / 4)
    assert fold(whole, comparisons(16))[0].lag.correlation is None


def test_coverage_is_the_share_of_rows_that_got_their_label() -> None:
    """Of those that have it or will not any more."""
    state = start(quiet())
    assert coverage(state) is None
    assert coverage(replace(state, labels={"joined": 3, "expired": 1, "unknown": 9, "duplicate": 9})) == 0.75


def test_coverage_stands_with_what_labels_tell_and_with_nothing_else() -> None:
    """A rate among labelled rows says little where few rows get a label."""
    whole = labelled()
    state = replace(start(whole), labels={"joined": 1, "expired": 3})
    said = {verdict.monitor: verdict.coverage for verdict in verdicts(whole, state)}
    assert {name for name, share in said.items() if share == 0.25} == {
        name for name in said if name in CATALOGUE and CATALOGUE[name].stream is Stream.LABELS
    }
    assert said["accuracy"] == 0.25
    assert said["disagreement"] is None
