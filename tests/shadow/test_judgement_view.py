from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons, make_plan
from tests.support.judgement.judge_harness import JudgeHarness
from tests.support.judgement.labelled_judge import NOW, batches, labelled, publish_labels, truths
from tightrope.monitors.history.retained import PairRecord, Retained, ScopeRecord
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Outcome
from tightrope.monitors.safemode import Mode, ModeState, Withholding
from tightrope.shadow import judge as module
from tightrope.shadow.judgement_view import JudgementView
from tightrope.shadow.output import judgement_metrics


def test_view_shows_the_progress(tmp_path: Path) -> None:
    """The view has judged rows, rows of the open tick and counts by scope; all are zero before the first row."""
    harness = JudgeHarness(tmp_path)
    assert harness.view.verdicts("m") == []
    assert harness.view.progress("m")["pending"] == 0
    judge = harness.judge()
    harness.publish(
        make_comparisons(20, member=[True, False, False], disagree=np.arange(20) < 3, fault=np.arange(20) == 9)
    )
    judge.step(0)
    shown, none = harness.view.progress("m"), {"baseline": 0, "compressed": 0}
    assert {key: shown[key] for key in ("seen", "pending", "stale")} == {"seen": 16, "pending": 4, "stale": 0}
    assert shown["scopes"] == {
        "model": {"compared": 16, "disagreed": 3, "errors": 1, "refused": none},
        "group=a": {"compared": 16, "disagreed": 3, "errors": 1, "refused": none},
        "group=b": {"compared": 0, "disagreed": 0, "errors": 0, "refused": none},
        "half=left": {"compared": 0, "disagreed": 0, "errors": 0, "refused": none},
    }
    assert {v.scope: v.outcome for v in harness.view.verdicts("m") if v.monitor != "sight"} == {
        "model": Outcome.ERROR,
        "group=a": Outcome.ERROR,
        "group=b": Outcome.INSUFFICIENT,
        "half=left": Outcome.INSUFFICIENT,
    }


def test_view_shows_labels_noise_and_dependence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a label there is no coverage."""
    monkeypatch.setattr(judgement_metrics, "METRICS_REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(module.time, "time", lambda: NOW)
    harness = JudgeHarness(tmp_path, {"m": labelled()})
    judge = harness.judge()
    assert harness.view.progress("m")["coverage"] is None
    harness.publish(*batches(4))
    publish_labels(harness, truths(batches(1)[0]))
    harness.drain(judge)
    shown = harness.view.progress("m")
    assert shown["labels"]["joined"] == 10  # type: ignore[index]
    assert (shown["coverage"], shown["dependent"]) == (1.0, False)
    assert shown["repeats"]["popular"] == []
    assert shown["noise"] == {"asked_twice": 0, "contradictions": 0}
    assert harness.metrics.registry.get_sample_value("tightrope_labels", {"model": "m", "outcome": "joined"}) == 10


def test_unproven_scopes_are_those_of_a_pair_that_did_harm_before() -> None:
    """The whole model stands for a scope that the plan does not have; an advisory plan moves nothing."""
    plan = make_plan("disagreement")
    record = ScopeRecord(Mode(ModeState.SAFE), ("disagreement",))
    view = JudgementView({"m": plan})
    assert view.unproven_scopes(plan) == ()
    pairs = (PairRecord("b1", "c1", {"group=a": record, "group=x": record}), PairRecord("b1", "c2", {}))
    view.states = {"m": replace(initial_state(plan), retained=Retained(pairs=pairs))}
    assert view.unproven_scopes(plan) == ("group=a", "model")
    assert view.unproven_scopes(replace(plan, compressed_digest="c2")) == ()
    assert view.unproven_scopes(replace(plan, armed=False)) == ()


def test_scopes_that_a_new_statement_withholds_are_unproven() -> None:
    """Under an advisory plan and before the first state, too; not once the judge has applied the statement."""
    plan = make_plan("disagreement", withholding=Withholding("q1", ("group=b",)), armed=False)
    view = JudgementView({"m": plan})
    assert view.unproven_scopes(plan) == ("group=b",)
    view.states = {"m": initial_state(plan)}
    assert view.unproven_scopes(plan) == ("group=b",)
    view.states = {"m": replace(initial_state(plan), retained=Retained(statement="q1"))}
    assert view.unproven_scopes(plan) == ()
