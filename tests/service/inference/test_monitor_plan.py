"""The plan has limits, sampling rates, and a digest of everything that evidence depends on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.judgement.comparisons import CLASS_MONITORS
from tests.support.onnx_models import classifier
from tests.support.serving.model_pairs import REFUSAL, SUBGROUPS, sure_and_unsure
from tests.support.serving.service_harness import pair_of, settings_of
from tightrope.monitors.definitions.definition import Reach
from tightrope.monitors.intake.repeats import Repeats
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Stream
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.loading.pair_building import build
from tightrope.service.inference.loading.pair_loading import load_model

DEFAULTS = {name: question.limit for name, question in CLASS_MONITORS.items()}
LABELLED = {name for name, question in CLASS_MONITORS.items() if question.stream is Stream.LABELS}
CLEAR, SHAPE, JUMP = "clear_disagreement", "confidence_shape", "confidence_jump"
CLASSES = ("class_miss", "class_gain")


def plan_of(folder: Path, **model: object) -> Plan:
    """The plan of the sound pair, with these settings."""
    return pair_of(folder, **{**sure_and_unsure(folder), **model}).plan


def limits(plan: Plan) -> dict[str, list[float]]:
    """The limits of each monitor: the model's, then each subgroup's."""
    return {rule.monitor.name: [float(limit) for limit in rule.limits] for rule in plan.rules}


def test_default_subgroup_limit_is_twice_the_models(tmp_path: Path) -> None:
    """Subgroups have few rows; the model's limit is the catalogue's."""
    region = {"subgroups": {"region": SUBGROUPS["region"]}}
    planned = limits(plan_of(tmp_path, refusal=REFUSAL, labels={}, **region))
    of_model = {name for name, monitor in CLASS_MONITORS.items() if monitor.reach is Reach.MODEL}
    factors = {name: monitor.subgroup_factor for name, monitor in CLASS_MONITORS.items()}
    in_subgroups = {name: 0 if name in of_model else 3 for name in DEFAULTS}
    wanted = {name: [limit, *[factors[name] * limit] * in_subgroups[name]] for name, limit in DEFAULTS.items()}
    assert factors.pop("clear_disagreement") == 5
    assert {*factors.values()} == {2}
    assert planned == wanted


def test_classes_have_at_least_five_times_the_limit_of_disagreement(tmp_path: Path) -> None:
    """A class has few rows; a written limit replaces the default."""
    for given, wanted in (({}, 0.1), ({"disagreement": 0.05}, 0.25), ({"class_miss": 0.3}, 0.3)):
        assert limits(plan_of(tmp_path, limits=given))["class_miss"] == [wanted]
    assert limits(plan_of(tmp_path, limits={"disagreement": 0.5}))["class_gain"] == [0.7]


def test_critical_classes_have_half_of_the_budget(tmp_path: Path) -> None:
    """By number or by the name of the cell; a class that the model does not have is refused."""
    for name in (1, "class 1"):
        plan = plan_of(tmp_path, decision={"critical": [name]})
        rule = next(rule for rule in plan.rules if rule.monitor.name == "class_miss")
        assert (rule.shares[0] * rule.weights).ravel().tolist() == pytest.approx([0.035, 0.035])
    with pytest.raises(ConfigError, match="there is no class 7"):
        plan_of(tmp_path, decision={"critical": [7]})


def test_configured_limits_replace_the_defaults(tmp_path: Path) -> None:
    """A doubled limit follows the configured one up to its bound; a subgroup limit replaces it."""
    region = {"subgroups": {"region": SUBGROUPS["region"]}, "refusal": REFUSAL}
    given = {"disagreement": 0.05, "refusal_persistence": 0.5, "confidence": 0.1}
    planned = limits(plan_of(tmp_path, limits=given, subgroup_limits={"confidence": 0.15}, **region))
    assert planned["disagreement"] == [0.05, 0.1, 0.1, 0.1]
    assert planned["refusal_persistence"] == [0.5, 0.7, 0.7, 0.7]
    assert planned["confidence"] == [0.1, 0.15, 0.15, 0.15]
    assert planned["refusal_rate"] == [0.01, 0.02, 0.02, 0.02]


def test_null_switches_a_monitor_off(tmp_path: Path) -> None:
    """For its subgroups too, even if they have a limit."""
    plan = plan_of(tmp_path, limits={"confidence": None}, subgroup_limits={"confidence": 0.1}, refusal=REFUSAL)
    assert plan.monitors == ("disagreement", CLEAR, SHAPE, JUMP, *CLASSES, "refusal_rate", "refusal_persistence")


def test_inapplicable_monitors_are_left_out(tmp_path: Path) -> None:
    """Some need a refusal rule, subgroups or classes; a regression has neither classes nor refusals."""
    assert plan_of(tmp_path).monitors == ("disagreement", CLEAR, "confidence", SHAPE, JUMP, *CLASSES)
    assert plan_of(tmp_path, subgroups=SUBGROUPS).monitors == (
        "disagreement",
        CLEAR,
        "confidence",
        SHAPE,
        JUMP,
        "mix",
        *CLASSES,
    )
    value = str(classifier(tmp_path / "v.onnx", np.ones((2, 1), np.float32), scores=True))
    plan = plan_of(tmp_path, baseline=value, compressed=value, decision={"scale": "regression", "tolerance": 0.5})
    assert plan.monitors == ("disagreement",)


def test_label_monitors_need_labels(tmp_path: Path) -> None:
    """Without ``labels:`` they would never get data; with it, rows wait for the configured horizon."""
    plain, planned = plan_of(tmp_path), plan_of(tmp_path, labels={"horizon_seconds": 60})
    assert LABELLED
    assert not LABELLED & set(plain.monitors)
    assert set(planned.monitors) >= LABELLED
    assert (plain.label_horizon, planned.label_horizon) == (0.0, 60.0)


def test_plan_has_a_rate_for_each_scope(tmp_path: Path) -> None:
    """The model comes first; a floor raises only its own subgroup."""
    plan = plan_of(tmp_path, subgroups=SUBGROUPS, sampling={"rate": 0.1, "floors": {"region=south": 0.5}})
    assert dict(zip(plan.scopes, plan.rates.tolist(), strict=True)) == {
        "model": 0.1,
        "region=north": 0.1,
        "region=south": 0.5,
        "region=other": 0.1,
        "band=low": 0.1,
        "band=high": 0.1,
        "band=other": 0.1,
    }


def test_sections_of_the_file_reach_the_plan(tmp_path: Path) -> None:
    """Alarms, safe mode, and whether the plan is armed."""
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


@pytest.mark.parametrize(
    ("written", "armed"),
    [
        ({}, False),
        ({"limits": {"disagreement": 0.1}}, True),
        ({"subgroup_limits": {"disagreement": 0.1}}, True),
        ({"mode": "advisory", "limits": {"disagreement": 0.1}}, False),
        ({"mode": "armed"}, True),
    ],
)
def test_model_without_mode_and_limits_is_advisory(tmp_path: Path, *, written: dict[str, Any], armed: bool) -> None:
    """A written mode decides; the settings hold the mode in force, and an advisory model by default is warned of."""
    pair = pair_of(tmp_path, **{**sure_and_unsure(tmp_path), "mode": None, **written})
    assert (pair.plan.armed, pair.plan.settings["mode"]) == (armed, "armed" if armed else "advisory")
    assert pair.plan.keeps_armed is ("mode" not in written)
    assert [line.split(":")[0] for line in pair.warnings] == ([] if written else ["models.m.mode"])


def test_keys_of_a_model_reach_the_plan(tmp_path: Path) -> None:
    """Repeats, lanes and the latency objective."""
    latency = {"seconds": 0.5, "limit": 0.02}
    plan = plan_of(tmp_path, repeats="inputs", lanes=3, independence="request", latency=latency)
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
    {"decision": {"scale": "regression"}},
    {"repeats": "inputs"},
    {"lanes": 2, "independence": "request"},
    {"independence": "window"},
    {"labels": {}},
    {"runtime": {"optimization": "basic"}},
    {"runtime": {"precise_int8": True}},
    {"compressed_runtime": {"providers": ["AzureExecutionProvider"]}},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_digest_changes_with_what_evidence_depends_on(tmp_path: Path, change: dict[str, Any]) -> None:
    """Evidence counted under other limits, subgroups or rates is not carried over."""
    assert plan_of(tmp_path, **change).digest != plan_of(tmp_path).digest


STILL: list[dict[str, Any]] = [
    {"runtime": {"threads": 2, "arena": False, "memory_pattern": False, "warm_up_rows": 4, "execution": "parallel"}},
    {"runtime": {"execution": "parallel", "node_threads": 2}},
    {"mode": "advisory"},
    {"version": "9"},
    {"owner": "ml@example.org", "page": "always", "qualification": {"confidence": 0.9}},
    {"runtime": {"precise_int8": False}},
    {"noise_share": 0.5},
    {"latency": {"seconds": 1}},
]


@pytest.mark.parametrize("change", STILL, ids=str)
def test_digest_ignores_settings_that_evidence_does_not_depend_on(tmp_path: Path, change: dict[str, Any]) -> None:
    """Arming a plan, or giving it more threads, keeps its evidence."""
    assert plan_of(tmp_path, **change).digest == plan_of(tmp_path).digest


def test_digest_ignores_the_settings_of_gateways_alone(tmp_path: Path) -> None:
    """How long a gateway waits for its judge is no matter of evidence."""
    models = {"m": sure_and_unsure(tmp_path)}
    plans = [
        build("m", settings_of(tmp_path, models, safe_mode=safe_mode), load_model).plan
        for safe_mode in ({}, {"silent_seconds": 5, "when_silent": "stay"})
    ]
    assert plans[0].digest == plans[1].digest


@pytest.mark.parametrize("change", [{"limits": {"disagreement": 0.2}}, {"queue": 7}, {"mode": "advisory"}], ids=str)
def test_coverage_is_that_of_the_pair_and_the_subgroups(tmp_path: Path, change: dict[str, Any]) -> None:
    """Members whose other settings differ count each other's rows, as while a configuration is rolled out."""
    assert plan_of(tmp_path, **change).coverage == plan_of(tmp_path).coverage
    assert plan_of(tmp_path, subgroups=SUBGROUPS).coverage != plan_of(tmp_path).coverage
    swapped = {"baseline": "unsure.onnx", "compressed": "sure.onnx"}
    assert plan_of(tmp_path, **swapped).coverage != plan_of(tmp_path).coverage


def test_digest_depends_on_the_files_content_not_its_name(tmp_path: Path) -> None:
    """A copy of a file is the same model."""
    digest = plan_of(tmp_path).digest
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name, path in sure_and_unsure(tmp_path).items():
        (elsewhere / f"{name}.onnx").write_bytes(Path(path).read_bytes())
    moved = {name: str(elsewhere / f"{name}.onnx") for name in ("baseline", "compressed")}
    assert plan_of(tmp_path, **moved).digest == digest
    other = str(classifier(tmp_path / "other.onnx", np.ones((2, 2), np.float32)))
    assert plan_of(tmp_path, compressed=other).digest != digest


@pytest.mark.parametrize("otherwise", ["watch", "baseline", "refuse"])
def test_undeclared_values_have_cells_and_share_the_budget(tmp_path: Path, otherwise: str) -> None:
    """The scope has the same monitors and limits as a declared one; all cells together keep to one budget."""
    region = {**SUBGROUPS["region"], "otherwise": otherwise}
    plan = plan_of(tmp_path, subgroups={"region": region}, refusal=REFUSAL, labels={})
    assert plan.scopes == ("model", "region=north", "region=south", "region=other")
    for rule in [rule for rule in plan.rules if len(rule.limits) > 1]:
        assert (rule.shares[2], rule.limits[2], bool(rule.watched[2])) == (
            rule.shares[3],
            rule.limits[3],
            bool(rule.watched[3]),
        )
    assert sum(float(rule.shares.sum()) * len(rule.variants) for rule in plan.rules) <= 1
    assert plan.specs[0].others is not None
    assert plan.specs[0].others.tolist() == [False, False, False, True]
    assert plan.always_baseline == (("region=other",) if otherwise == "baseline" else ())
