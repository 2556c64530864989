from tightrope.monitors import observations
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.compare import Scale
from tightrope.monitors.definitions.definition import Need, Reach
from tightrope.monitors.kinds.registry import KINDS
from tightrope.monitors.kinds.seam import PairLayout, TensorLayout
from tightrope.service.config.decision import DecisionSection
from tightrope.service.inference.kinds.offers import Offer, kind_offer, plain_offer


def offer_of(name: str, shape: tuple[int, ...], **options: object) -> Offer:
    """The offer of a kind that reads the output p."""
    kind = KINDS[name](options, PairLayout([], [TensorLayout("p", shape, "f")]))
    return kind_offer(kind, DecisionSection.model_validate({"kind": name, **options}))


def test_classifier_offers_everything_but_a_value() -> None:
    """A regression by its scale offers nothing besides the disagreement."""
    assert plain_offer(Scale.LOGITS, 3).needs == {Need.CONFIDENCE, Need.MARGIN, Need.CLASSES, Need.LABELS}
    assert plain_offer(Scale.REGRESSION, 0).needs == set()


def test_kind_offers_what_its_readings_have() -> None:
    """Labels of several a row cannot be confirmed by one label."""
    assert offer_of("multilabel", (-1, 3), labels=["a", "b", "c"]).needs == {Need.CONFIDENCE, Need.CLASSES}
    assert offer_of("regression", (-1,), tolerance=1.0).needs == set()
    assert offer_of("regression", (-1,), tolerance=1.0, cap=2.0).needs == {Need.VALUE}
    for name, shape in (("binary", (-1, 1)), ("classes", (-1, 3))):
        assert offer_of(name, shape).needs == {Need.CONFIDENCE, Need.MARGIN, Need.CLASSES, Need.LABELS}


def test_mix_has_the_names_of_the_classes() -> None:
    """Two classes that exclude each other need one variant, two labels need both."""
    mix = CATALOGUE["mix"]
    assert offer_of("multilabel", (-1, 2), labels=["red", "round"]).variants(mix) == ("red", "round")
    assert len(offer_of("binary", (-1, 1), classes=["no", "yes"]).variants(mix)) == 1
    assert plain_offer(Scale.PROBABILITIES, 3).variants(mix) == ("class 0", "class 1", "class 2")


def test_many_classes_are_not_watched_one_by_one() -> None:
    """A thousand detectors a subgroup would take most of the budget, and most of the time."""
    assert offer_of("classes", (-1, 20), top=5).variants(CATALOGUE["mix"]) == tuple(map(str, range(20)))
    assert offer_of("classes", (-1, 21), top=5).variants(CATALOGUE["mix"]) == ()


def test_many_classes_are_watched_one_by_one_at_the_model_alone() -> None:
    """Up to twenty in subgroups too, by the loss that the kind gives for each class; beyond by the first class."""
    miss = CATALOGUE["class_miss"]
    for classes, reach, by_row in ((20, Reach.ALL, False), (21, Reach.MODEL, True)):
        offer = offer_of("classes", (-1, classes))
        adapted = offer.adapted(miss)
        assert offer.variants(miss) == tuple(map(str, range(classes)))
        assert (adapted.reach, adapted.class_of is not None) == (reach, by_row)
    several = offer_of("multilabel", (-1, 21), labels=[f"label {index}" for index in range(21)])
    assert several.variants(miss) == (), "a row has several"
    assert plain_offer(Scale.LOGITS, 50).adapted(miss).reach is Reach.MODEL


def test_loss_of_a_kind_is_observed_with_its_limit() -> None:
    """As a fraction where it is not just 0 or 1."""
    share, any_label = offer_of("multilabel", (-1, 3), loss="hamming"), offer_of("multilabel", (-1, 3))
    assert share.observe["disagreement"] is observations.loss
    losses = {"disagreement", "clear_disagreement", "class_miss", "class_gain"}
    assert (share.fractional, any_label.fractional) == (losses, set())
    assert (share.limits["disagreement"], any_label.limits["disagreement"]) == (0.01, 0.02)
