import json
from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.recorded import recorded_plan
from tightrope.demo.replay import DEMO_FOLDER, DEMO_MODEL
from tightrope.monitors.budget import MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.observations import baseline_class
from tightrope.monitors.review.common_rate import CommonRateExcess, at_common_rate
from tightrope.monitors.veto.drawing import LabelDraw
from tightrope.service.adapters.journal.plan_codec import PlanFormatError, decode_plan, encode_plan, plan_key
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load
from tightrope.service.inference.kinds.class_cells import VariantOfClass


def test_the_plan_of_the_demo_is_read_as_it_was() -> None:
    """All monitors, limits, bins, columns and settings come back, and the rules are those of the plan."""
    settings = load(DEMO_FOLDER / "tightrope.yaml")
    plan = load_pairs(settings, enforced=False)[DEMO_MODEL].plan
    document = encode_plan(plan)
    again = decode_plan(document)
    assert (encode_plan(again), again.digest, len(again.rules)) == (document, plan.digest, len(plan.rules))
    assert repr(replace(again, base=None)) == repr(replace(plan, base=None))


def test_chosen_classes_and_infinite_numbers_are_kept() -> None:
    """An observation with parameters, an array and a number without an end in JSON."""
    variant = VariantOfClass(baseline_class, np.array([1, 0]))
    spec = recorded_plan().specs[0]
    plan = recorded_plan()
    changed = replace(
        plan, blind_seconds=float("inf"), specs=(replace(spec, monitor=replace(spec.monitor, class_of=variant)),)
    )
    again = decode_plan(encode_plan(changed))
    read = again.specs[0].monitor.class_of
    assert isinstance(read, VariantOfClass)
    assert (read.index.tolist(), read.class_of, again.blind_seconds) == ([1, 0], baseline_class, float("inf"))


def test_daily_cap_of_reviews_is_kept() -> None:
    """The least probability of the draw, and excess risk at its rate: a replay folds the same rows."""
    spec = MonitorSpec(at_common_rate(CATALOGUE["excess_risk"], 0.1), ("",), np.array([0.3]))
    plan = recorded_plan()
    rules = build_rules([*plan.specs, spec], plan.policy.recovery_ratio)
    changed = replace(plan, specs=(*plan.specs, spec), rules=rules, label_draw=LabelDraw(0.5, 0.02, floor=0.1))
    again = decode_plan(encode_plan(changed))
    assert again.label_draw == LabelDraw(0.5, 0.02, floor=0.1)
    assert again.rules[-1].monitor.observe == CommonRateExcess(0.1)


def test_equal_plans_have_one_key() -> None:
    """The key is that of the document."""
    first, second = (plan_key(encode_plan(recorded_plan(settings={"a": n}))) for n in (1, 2))
    assert first == plan_key(encode_plan(recorded_plan(settings={"a": 1})))
    assert first != second


def test_rules_of_other_specifications_are_refused() -> None:
    """A plan that could not be made again is not written."""
    other = MonitorSpec(CATALOGUE["mix"], ("",), np.array([0.4, 0.1, 0.1, 0.1]))
    with pytest.raises(PlanFormatError, match="its rules are not those of its specifications"):
        encode_plan(replace(recorded_plan(), specs=(other,)))


@pytest.mark.parametrize(
    "name", ["os:system", "tightrope.monitors.observations:np", "tightrope.monitors.watch:nothing"]
)
def test_a_document_names_only_types_and_functions_of_the_program(name: str) -> None:
    """A document from elsewhere cannot reach other code."""
    document = json.loads(encode_plan(recorded_plan()))
    document["plan"]["always_baseline"] = {"function": name}
    with pytest.raises(PlanFormatError, match="nothing that a plan can name"):
        decode_plan(json.dumps(document).encode())


@pytest.mark.parametrize("document", [b"", b"[]", b'{"format": "x", "plan": {}}', b'{"format": "tightrope.plan/1"}'])
def test_other_documents_are_refused(document: bytes) -> None:
    """Any other document is one error."""
    with pytest.raises(PlanFormatError):
        decode_plan(document)
