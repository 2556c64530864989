from pathlib import Path

import pytest

from tests.support.qualified_pair import plan_for, sided_settings
from tightrope.monitors.qualification.cells import LimitProof
from tightrope.monitors.qualification.preregistration import criteria_digest
from tightrope.offline.qualification.criteria import Criterion
from tightrope.service.config.loader import ConfigError


def criteria(folder: Path, **changes: object) -> dict[str, Criterion]:
    """The criteria of a pair by name."""
    return {each.name: each for each in plan_for(sided_settings(folder, **changes)).criteria}


def test_defaults_are_those_that_the_pair_can_have(tmp_path: Path) -> None:
    """Without a refusal no criterion is about refusals; a label criterion of subgroups need only be not over."""
    found = criteria(tmp_path, limits={"disagreement": 0.03}, subgroup_limits={"disagreement": 0.05})
    names = ["disagreement", "clear_disagreement", "class_miss", "confidence", "accuracy", "brier", "confident_wrong"]
    assert list(found) == names
    assert found["disagreement"].limits == {"model": (0.03, LimitProof.WITHIN), "subgroups": (0.05, LimitProof.WITHIN)}
    assert found["accuracy"].limits["subgroups"] == (0.1, LimitProof.NOT_OVER)
    refusing = criteria(tmp_path, refusal={"threshold": 0.6})
    assert {"refusal_rate", "refusal_persistence"} <= set(refusing)


def test_default_criteria_that_do_not_apply_are_named(tmp_path: Path) -> None:
    """With what the decision lacks; one about refusals only where there is one. The digest does not depend on it."""
    assert plan_for(sided_settings(tmp_path)).left_out == {}
    plan = plan_for(sided_settings(tmp_path, decision={"kind": "multilabel"}))
    assert [each.name for each in plan.criteria] == ["disagreement", "class_miss", "confidence", "confident_wrong"]
    assert plan.left_out == {
        "clear_disagreement": "needs a margin, which the decision does not have",
        "accuracy": "needs labels, which the decision does not have",
        "brier": "needs labels, which the decision does not have",
    }
    assert "left_out" not in plan.resolved


def test_written_criteria_replace_the_defaults(tmp_path: Path) -> None:
    """A limit alone must be proved."""
    found = criteria(tmp_path, qualification={"criteria": {"disagreement": {"model": 0.07, "subgroups": 0.1}}})
    assert found["disagreement"].document() == {"model": 0.07, "subgroups": 0.1}
    assert len(found) == 1


def test_the_digest_covers_everything_that_was_decided_before(tmp_path: Path) -> None:
    """Another seed, refusal, limit or way with unproven groups is another plan; valid days and words are not in it."""
    plans = [
        plan_for(sided_settings(tmp_path, **changes))
        for changes in (
            {"qualification": {"seed": 1}},
            {"qualification": {"seed": 2}},
            {"limits": {"disagreement": 0.03}},
            {"refusal": {"threshold": 0.6}},
            {"qualification": {"unproven": "withhold"}},
            {"qualification": {"seed": 1, "valid_days": 3, "objective": "x"}},
        )
    ]
    digests = [plan.digest for plan in plans]
    assert len(set(digests)) == 5
    assert digests[0] == digests[5] == criteria_digest(plans[0].resolved)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ({"disagrement": {"model": 0.1}}, "criteria.disagrement: there is no such criterion"),
        ({"refusal_rate": {"model": 0.1}}, "criteria.refusal_rate: needs a refusal"),
        ({"flip_gap": {"model": 0.1}}, "criteria.flip_gap: needs scenarios"),
        ({"disagreement": {"classes": 0.1}}, "criteria.disagreement: is not about classes"),
        ({"file_size": {"model": 0.1}}, "criteria.file_size: is a cost; its limit is ratio or most"),
        ({"disagreement": {"most": 3}}, "criteria.disagreement: is no cost"),
        ({"membership": {"subgroups": 0.1}}, "criteria.membership: is about the whole model; its limit is model"),
        ({"bias": {"model": 0.1}}, "criteria.bias: needs value, which the decision does not have"),
    ],
)
def test_criteria_that_do_not_apply_are_refused(tmp_path: Path, written: object, text: str) -> None:
    """One line says what would be right."""
    with pytest.raises(ConfigError) as refused:
        criteria(tmp_path, qualification={"criteria": written})
    assert text in refused.value.problems[0]
