import json
from pathlib import Path

from tests.support.qualified_pair import plan_for, sided_rows, sided_settings
from tests.support.qualified_reports import judge
from tightrope.offline.qualification.outcome import document_of, document_of_plan


def test_reports_and_plans_are_json(tmp_path: Path) -> None:
    """With the verdict and the digest that `--expect` takes."""
    settings = sided_settings(tmp_path)
    found = json.loads(json.dumps(document_of(judge(settings, sided_rows(tmp_path), tmp_path))))
    plan = json.loads(json.dumps(document_of_plan(plan_for(settings))))
    assert (found["ok"], found["verdict"]) == (False, "breach")
    assert found["statement"]["predicate"]["criteria_digest"] == plan["criteria_digest"]
