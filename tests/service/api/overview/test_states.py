"""States of a model that is seen; `test_headlines.py` has the words of each."""

from tightrope.service.api.overview import states
from tightrope.service.api.overview.facts import FULL, ModelFacts, ScopeFacts


def test_states_of_another_model_do_not_apply() -> None:
    """A model that is well is in none but the last one."""
    model = ModelFacts("m")
    functions = (states.advisory_harm, states.overloaded, states.unqualified, states.latched, states.found_harm)
    assert [state(model) for state in functions] == [None] * 5
    assert states.well_served(model)[0] == "ok"


def test_harm_that_has_moved_is_no_advisory_harm() -> None:
    """Only what the small model still answers is."""
    moved = ModelFacts("m", armed=False, groups=(ScopeFacts("a=b", FULL, harmed=True),))
    assert states.advisory_harm(moved) is None


def test_reason_of_an_order_ends_before_the_next_sentence() -> None:
    """People write it without a full stop."""
    everyone = ScopeFacts("model", FULL, why="Ben had the full model answer everybody: incident 7")
    words = states.whole_model(ModelFacts("m", everyone=everyone))
    assert words is not None
    assert words[2].startswith("Ben had the full model answer everybody: incident 7. Callers are served well")


def test_narrowed_model_names_the_classes_that_are_asked_again() -> None:
    """The finding stands in the place of the event, which says the same as the headline."""
    everyone = ScopeFacts("model", state="safe", finding="9 % of “a”", why="An event", asked=("a", "b"))
    words = states.narrowed_model(ModelFacts("m", everyone=everyone))
    assert words is not None
    assert words[1] == "The full model of m is asked again where the small one says “a” or “b”."
    assert words[2].startswith("9 % of “a”. All other answers are the small model's. Nothing to do now.")
