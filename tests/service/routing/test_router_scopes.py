"""The scopes that the baseline answers now."""

from tightrope.service.routing.router import Router


def test_scopes_that_the_baseline_answers_are_told_for_any_reason() -> None:
    """By their mode, the configuration, rows that are not judged, or with the whole model."""
    router = Router({"m": ("a=x", "a=y", "b=z")}, always_baseline={"m": ("b=z",)})
    assert router.baseline_scopes("m") == {"b=z"}
    router.set_blind_scopes("m", ["a=x"])
    assert router.baseline_scopes("m") == {"a=x", "b=z"}
    assert router.unseen_scopes("m") == {"a=x"}
    router.set_judge_missing("m", "no judge is heard")
    assert "model" in router.baseline_scopes("m")
    assert router.judge_missing("m") == "no judge is heard"
