"""A pair is admitted with the limits of its statement, refused, or kept for the shadow alone."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tests.support.qualification_files import write_statement
from tightrope.monitors.records import Role
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import ConfigError, load
from tightrope.service.inference.model_pair import ModelPair

SILENT: dict[str, Any] = {"limits": {}, "subgroup_limits": {}, "mode": None}


def written(folder: Path, **qualification: object) -> Path:
    """Write a configuration with a qualification, and no limit of its own."""
    return write_config(folder, config(folder, qualification={"require": True, **qualification}, **SILENT))


def loaded(path: Path, *, enforced: bool = True) -> ModelPair:
    """The pair as a process loads it."""
    return load_pairs(load(path, {}), enforced=enforced)["m"]


def problems(path: Path) -> list[str]:
    """The lines with which a start is refused."""
    with pytest.raises(ConfigError) as refused:
        loaded(path)
    return refused.value.problems


def test_qualified_pair_has_the_limits_of_its_statement(tmp_path: Path) -> None:
    """It is armed, and withholds what the statement does."""
    path = written(tmp_path)
    write_statement(path, withheld=["group=minority"])
    pair = loaded(path)
    rule = next(rule for rule in pair.plan.rules if rule.monitor.name == "disagreement")
    assert (rule.limits[0], rule.limits[1]) == (0.07, 0.1)
    assert (pair.plan.armed, pair.plan.withholding.scopes) == (True, ("group=minority",))
    assert pair.qualification is not None
    assert pair.plan.withholding.statement == pair.qualification.digest
    assert dict(pair.qualification.distances) == {Role.BASELINE: 0.0, Role.COMPRESSED: 0.0}


def test_limits_of_a_statement_are_settings_of_judgement(tmp_path: Path) -> None:
    """Written in the configuration they make the same plan."""
    path = written(tmp_path)
    write_statement(path)
    by_statement = loaded(path).plan
    limits = {"limits": {"disagreement": 0.07}, "subgroup_limits": {"disagreement": 0.1}, "mode": None}
    by_hand = loaded(write_config(tmp_path, config(tmp_path, **limits))).plan
    assert (by_statement.digest, by_statement.settings) == (by_hand.digest, by_hand.settings)


def test_clear_rows_are_those_of_the_statement(tmp_path: Path) -> None:
    """Above the margin that it judged by, and not above that of the first rows."""
    path = written(tmp_path)
    write_statement(path, change=lambda document: document["predicate"]["result"].update(clear_margin=0.178))
    assert loaded(path).plan.settings["clear_margin"] == 0.178


def test_pair_without_a_statement_is_refused_in_one_line(tmp_path: Path) -> None:
    """The line names the key and the file."""
    assert problems(written(tmp_path)) == [
        f"models.m.qualification: {tmp_path}/compressed.onnx.intoto.jsonl: is missing"
    ]


def test_all_objections_are_told_at_once(tmp_path: Path) -> None:
    """Looser limits, too, with `otherwise: baseline` as well: they are mistakes of the configuration."""
    path = written(tmp_path)
    write_statement(path, days=0.001, criteria={"disagreement": {"model": 0.01}})
    limits: dict[str, Any] = {"limits": {"disagreement": 0.05}, "subgroup_limits": {}, "mode": None}
    loose = config(tmp_path, qualification={"require": True, "otherwise": "baseline"}, **limits)
    lines = problems(write_config(tmp_path, loose))
    assert [line.split(": ")[0] for line in lines] == ["models.m.qualification", "models.m.limits.disagreement"]


def test_baseline_may_serve_instead(tmp_path: Path) -> None:
    """The pair keeps its objections, which the start logs, and has none of the statement's limits."""
    path = written(tmp_path, otherwise="baseline")
    write_statement(path, days=0.001)
    pair = loaded(path)
    assert pair.qualification is not None
    assert pair.qualification.blocks
    assert pair.plan.withholding.scopes == ()
    assert any("expired on" in line for line in pair.warnings)


def test_commands_that_serve_nothing_are_not_refused(tmp_path: Path) -> None:
    """They need the plan, also without a sound statement."""
    path = written(tmp_path)
    assert loaded(path, enforced=False).plan.scopes[0] == "model"
    write_statement(path, withheld=["group=minority"])
    assert loaded(path, enforced=False).plan.coverage == loaded(path).plan.coverage


def without_golden(document: dict[str, Any]) -> None:
    """Take the golden answers away."""
    document["predicate"]["result"]["golden"] = None


def shifted(document: dict[str, Any]) -> None:
    """Expect answers that this host does not give."""
    golden = document["predicate"]["result"]["golden"]
    golden["answers"]["compressed"] = golden["answers"]["baseline"]


def elsewhere(document: dict[str, Any]) -> None:
    """Say that the statement was made on another host."""
    document["predicate"]["measured"]["host_class"] = "another"


def test_host_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    """With both numbers, and what to do."""
    path = written(tmp_path)
    write_statement(path, change=shifted)
    (line,) = problems(path)
    assert (
        " away from the golden answers of compressed (bound 0.0001); set runtime.precise_int8, or qualify here" in line
    )
    assert "this host (" in line


def test_host_that_cannot_be_compared_is_refused_unless_its_class_is_listed(tmp_path: Path) -> None:
    """An unknown host is unsafe."""
    path = written(tmp_path)
    write_statement(path, change=without_golden)
    assert "has no golden answers" in problems(path)[0]
    host = loaded(path, enforced=False).host_classes[Role.COMPRESSED]
    loaded(written(tmp_path, host_classes=[host]))
    assert f"this host ({host}) is none of host_classes: x" in problems(written(tmp_path, host_classes=["x"]))[0]


def test_new_class_of_host_serves_and_is_named(tmp_path: Path) -> None:
    """It reproduces the golden answers."""
    path = written(tmp_path)
    write_statement(path, change=elsewhere)
    found = loaded(path).qualification
    assert found is not None
    assert found.new_host_class.endswith("the statement was made on another")
