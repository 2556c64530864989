"""The plan has the settings of judgement by name, for events about their changes."""

import json
from pathlib import Path

from tests.service.inference.test_monitor_plan import DEFAULTS, plan_of
from tests.support.serving.model_pairs import SUBGROUPS


def test_settings_of_judgement_have_dotted_names_and_limits_in_force(tmp_path: Path) -> None:
    """A monitor that is off has no limit; settings that evidence does not depend on are there too."""
    settings = plan_of(tmp_path, limits={"confidence": None}, mode="advisory", subgroups=SUBGROUPS).settings
    assert settings["mode"] == "advisory"
    assert settings["limits.disagreement"] == DEFAULTS["disagreement"]
    assert settings["subgroup_limits.disagreement"] == 2 * DEFAULTS["disagreement"]
    assert not {"limits.confidence", "subgroup_limits.confidence", "baseline", "compressed"} & set(settings)
    assert {"alarms.samples_per_false_alarm", "safe_mode.min_dwell_seconds", "sampling.rate"} <= set(settings)
    json.dumps(settings, allow_nan=False)


def test_definition_of_a_subgroup_is_in_the_settings(tmp_path: Path) -> None:
    """A narrower one is noticed; an infinite bound is a text."""
    column = {"input": "input", "column": 1, "values": {"low": {"high": 0.0}, "high": {"low": 1.0}}}
    settings = plan_of(tmp_path, subgroups={"size": column}).settings
    assert settings["subgroups.size.values.low"] == {"low": "-inf", "high": "0.0"}
    assert settings["subgroups.size.column"] == 1
