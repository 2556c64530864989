"""What the judge is handed: limits, sampling rates, and a digest of everything that evidence depends on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.onnx_models import classifier
from tests.support.serving.model_pairs import REFUSAL, SUBGROUPS, sure_and_unsure
from tests.support.serving.service_harness import pair_of, settings_of
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.plan import Plan, Repeats
from tightrope.monitors.records import Stream
from tightrope.service.app import load_model
from tightrope.service.inference.model_pair import build

DEFAULTS = {name: question.limit for name, question in CATALOGUE.items()}
LABELLED = {name for name, question in CATALOGUE.items() if question.stream is Stream.LABELS}
SHAPE = "confidence_shape"


def plan_of(folder: Path, **model: object) -> Plan:
    """The plan of the sound pair, with these settings."""
    return pair_of(folder, **{**sure_and_unsure(folder), **model}).plan


def limits(plan: Plan) -> dict[str, list[float]]:
    """What each monitor tolerates: the model's limit, then each subgroup's."""
    return {rule.question.name: [float(limit) for limit in rule.limits] for rule in plan.rules}


def test_subgroups_are_given_twice_the_models_limit(tmp_path: Path) -> None:
    """Few rows say little; the model's limit itself is the catalogue's."""
    region = {"subgroups": {"region": SUBGROUPS["region"]}}
    told = limits(plan_of(tmp_path, refusal=REFUSAL, labels={}, **region))
    assert told == {name: [limit, 2 * limit, 2 * limit] for name, limit in DEFAULTS.items()}


def test_configured_limits_take_the_place_of_the_defaults(tmp_path: Path) -> None:
    """A doubled limit follows the configured one, stops where no alternative is left, and gives way to its own."""
    region = {"subgroups": {"region": SUBGROUPS["region"]}, "refusal": REFUSAL}
    given = {"disagreement": 0.05, "refusal_persistence": 0.5, "confidence": 0.1}
    told = limits(plan_of(tmp_path, limits=given, subgroup_limits={"confidence": 0.15}, **region))
    assert told["disagreement"] == [0.05, 0.1, 0.1]
    assert told["refusal_persistence"] == [0.5, 0.7, 0.7]
    assert told["confidence"] == [0.1, 0.15, 0.15]
    assert told["refusal_rate"] == [0.01, 0.02, 0.02]


def test_null_switches_a_monitor_off(tmp_path: Path) -> None:
    """For its subgroups too, even if they were given a limit."""
    plan = plan_of(tmp_path, limits={"confidence": None}, subgroup_limits={"confidence": 0.1}, refusal=REFUSAL)
    assert plan.monitors == ("disagreement", SHAPE, "refusal_rate", "refusal_persistence")


def test_monitors_that_cannot_be_asked_are_left_out(tmp_path: Path) -> None:
    """Without a refusal rule nobody refuses, without subgroups there is no mix in them; a regression has neither
    classes nor refusals.
    """
    assert plan_of(tmp_path).monitors == ("disagreement", "confidence", SHAPE)
    assert plan_of(tmp_path, subgroups=SUBGROUPS).monitors == ("disagreement", "confidence", SHAPE, "mix")
    value = str(classifier(tmp_path / "v.onnx", np.ones((2, 1), np.float32), scores=True))
    plan = plan_of(tmp_path, baseline=value, compressed=value, decision={"scale": "regression", "tolerance": 0.5})
    assert plan.monitors == ("disagreement",)


def test_truth_is_asked_for_only_where_labels_are_taken(tmp_path: Path) -> None:
    """Without ``labels:`` none of these monitors can ever be answered; with it rows wait as long as it says."""
    plain, told = plan_of(tmp_path), plan_of(tmp_path, labels={"horizon_seconds": 60})
    assert LABELLED
    assert not LABELLED & set(plain.monitors)
    assert set(told.monitors) >= LABELLED
    assert (plain.label_horizon, told.label_horizon) == (0.0, 60.0)


def test_rates_and_floors_arrive_scope_by_scope(tmp_path: Path) -> None:
    """The model first; a floor lifts only its own subgroup."""
    plan = plan_of(tmp_path, subgroups=SUBGROUPS, sampling={"rate": 0.1, "floors": {"region=south": 0.5}})
    assert dict(zip(plan.scopes, plan.rates.tolist(), strict=True)) == {
        "model": 0.1,
        "region=north": 0.1,
        "region=south": 0.5,
        "band=low": 0.1,
        "band=high": 0.1,
    }


def test_sections_of_the_file_reach_the_plan(tmp_path: Path) -> None:
    """Alarms, the way back, and whether the plan is armed."""
    back = {"min_dwell_seconds": 1, "flap_window_seconds": 2, "max_flaps": 4, "recovery_ratio": 0.5, "blind_seconds": 9}
    models = {"m": {**sure_and_unsure(tmp_path), "mode": "advisory"}}
    settings = settings_of(
        tmp_path, models, alarms={"samples_per_false_alarm": 1e6}, safe_mode={**back, "recovery_samples": 1e3}
    )
    plan = build("m", settings, load_model).plan
    policy = plan.policy
    assert plan.budget.samples == 1e6
    assert (policy.min_dwell, policy.flap_window, policy.max_flaps) == (1, 2, 4)
    assert (policy.recovery_ratio, policy.recovery_samples) == (0.5, 1e3)
    assert plan.blind_seconds == 9
    assert not plan.armed
    assert plan_of(tmp_path).armed


def test_keys_of_a_model_reach_the_plan(tmp_path: Path) -> None:
    """What counts once, how many detectors take turns, and the time an answer may take."""
    latency = {"seconds": 0.5, "limit": 0.02}
    plan = plan_of(tmp_path, repeats="inputs", lanes=3, latency=latency)
    assert plan.repeats is Repeats.INPUTS
    assert {rule.lanes for rule in plan.rules} == {3}
    assert plan.objective is not None
    assert (plan.objective.seconds, plan.objective.limit) == (0.5, 0.02)
    assert plan_of(tmp_path).objective is None


CHANGES: list[dict[str, Any]] = [
    {"limits": {"disagreement": 0.03}},
    {"limits": {"disagreement": None}},
    {"subgroup_limits": {"disagreement": 0.03}},
    {"subgroups": SUBGROUPS},
    {"refusal": REFUSAL},
    {"sampling": {"rate": 0.5}},
    {"decision": {"scale": "logits"}},
    {"repeats": "inputs"},
    {"lanes": 2},
    {"labels": {}},
    {"runtime": {"optimization": "basic"}},
    {"compressed_runtime": {"providers": ["AzureExecutionProvider"]}},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_digest_changes_with_what_evidence_depends_on(tmp_path: Path, change: dict[str, Any]) -> None:
    """Evidence counted under other limits, groups or rates is not carried over."""
    assert plan_of(tmp_path, **change).digest != plan_of(tmp_path).digest


STILL: list[dict[str, Any]] = [
    {"runtime": {"threads": 2, "arena": False, "memory_pattern": False, "warm_up_rows": 4, "execution": "parallel"}},
    {"runtime": {"execution": "parallel", "node_threads": 2}},
    {"mode": "advisory"},
    {"version": "9"},
    {"noise_share": 0.5},
    {"latency": {"seconds": 1}},
]


@pytest.mark.parametrize("change", STILL, ids=str)
def test_digest_stays_when_evidence_does_not_depend_on_it(tmp_path: Path, change: dict[str, Any]) -> None:
    """Arming a plan, or giving it more threads, must not throw its evidence away."""
    assert plan_of(tmp_path, **change).digest == plan_of(tmp_path).digest


def test_digest_follows_the_files_content_and_not_its_name(tmp_path: Path) -> None:
    """The same file elsewhere is the same model; another file is another."""
    digest = plan_of(tmp_path).digest
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name, path in sure_and_unsure(tmp_path).items():
        (elsewhere / f"{name}.onnx").write_bytes(Path(path).read_bytes())
    moved = {name: str(elsewhere / f"{name}.onnx") for name in ("baseline", "compressed")}
    assert plan_of(tmp_path, **moved).digest == digest
    other = str(classifier(tmp_path / "other.onnx", np.ones((2, 2), np.float32)))
    assert plan_of(tmp_path, compressed=other).digest != digest
