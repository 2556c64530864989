"""Phrases that several states share."""

from tightrope.service.api.overview.facts import ModelFacts, ScopeFacts
from tightrope.service.api.overview.levels import names, no_harm, served, well


def test_service_is_good_only_without_trouble() -> None:
    """The full model may fail, or be slow."""
    assert (served(ModelFacts("m")), well(ModelFacts("m"))) == (
        "Callers are served well; it costs capacity.",
        "served well",
    )
    slow = ModelFacts("m", trouble="is slow")
    assert served(slow) == "Callers are answered by the full model, which is slow."
    assert well(slow) == "answered by the full model, which is slow"


def test_whole_model_is_everybody_in_a_sentence() -> None:
    """Groups are named with their attribute."""
    assert names([ScopeFacts("model")]) == "everybody"
    assert names([ScopeFacts("a=b_c"), ScopeFacts("d=e")]) == "b c (a) and e (d)"
    assert no_harm(1_200).startswith("in none of 1,200 groups")
