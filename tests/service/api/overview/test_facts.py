"""Facts of a model: the groups that moved, and those with almost the evidence of an alarm."""

from tightrope.service.api.overview.facts import FULL, ModelFacts, ScopeFacts


def test_groups_that_follow_have_not_moved() -> None:
    """A value that is not declared follows another one, and the configuration may give a group to the full model."""
    own, follower = ScopeFacts("a=b", FULL), ScopeFacts("a=other", FULL, own=False)
    assert ModelFacts("m", groups=(own, follower, ScopeFacts("a=c"))).moved == (own,)


def test_scopes_that_the_full_model_answers_are_not_near_an_alarm() -> None:
    """The others are, from three quarters of the evidence on, most of it first."""
    groups = tuple(ScopeFacts(f"a={name}", evidence=e) for name, e in (("x", 0.74), ("y", 0.8), ("z", 0.9)))
    model = ModelFacts("m", groups=(*groups, ScopeFacts("a=s", FULL, evidence=1.2)))
    assert [scope.name for scope in model.near] == ["z", "y"]
