"""The trouble with the full model, and why it answers a group, are read from the router and the counters."""

from types import SimpleNamespace
from typing import Any

from tightrope.monitors.safemode import Mode, ModeState
from tightrope.monitors.status.standing import ModelStanding
from tightrope.service.api.overview.sources import ModelSource, scope_sources
from tightrope.service.api.overview.traffic import Rates
from tightrope.service.routing.blindness import SightFacts
from tightrope.service.routing.router import Router

SCOPES = ("a=x", "a=y", "a=other")


def source(router: Router, modes: dict[str, Mode] | None = None, **counters: dict[tuple[str, ...], float]) -> Any:  # noqa: ANN401
    """Return a model of three groups with ten seconds of counters."""
    names = ("requests", "rows", "subgroup_rows", "model_failures", "samples", "samples_dropped")
    now = {name: counters.get(name, {}) for name in names}
    rows = {scope: {"compared": 10} for scope in ("model", *SCOPES)}
    pair = SimpleNamespace(
        name="m",
        plan=SimpleNamespace(scopes=("model", *SCOPES)),
        subgroups=SimpleNamespace(always_baseline=("a=y",)),
    )
    engine = SimpleNamespace(router=router, rationing=SimpleNamespace(share=lambda _: 1.0))
    return ModelSource(
        pair=pair,  # type: ignore[arg-type]
        armed=True,
        standing=ModelStanding(modes or {}, 0.75, 1.0),
        verdicts=(),
        found=(),
        progress={"scopes": rows},  # type: ignore[typeddict-item, arg-type]
        lines=(),
        rates=Rates(now, {name: {} for name in names}, 10.0),
        sight=SightFacts(0, 0.0, 0.0, 0.0, 60.0),
        at=0.0,
        engine=engine,  # type: ignore[arg-type]
    )


def router() -> Router:
    """Return a router that gives one group to the baseline by its configuration."""
    return Router({"m": SCOPES}, always_baseline={"m": ("a=y",)})


def test_full_model_fails_from_three_failures_and_one_in_a_hundred() -> None:
    """Fewer are told by the metrics alone."""
    rows = {("m", "baseline"): 100.0, ("m", "compressed"): 900.0}
    for failed, trouble in ((2.0, ""), (3.0, "fails")):
        failures = {("m", "baseline", "run_failed"): failed, ("m", "compressed", "run_failed"): 50.0}
        assert source(router(), rows=rows, model_failures=failures).trouble() == trouble
    many = {("m", "baseline"): 1_000.0}
    failures = {("m", "baseline", "run_failed"): 5.0}
    assert source(router(), rows=many, model_failures=failures).trouble() == ""


def test_shares_are_those_of_the_answered_rows() -> None:
    """Once there are a hundred; before, those of the compared rows."""
    rows = {("m", "baseline"): 25.0, ("m", "compressed"): 75.0}
    shared = source(router(), rows=rows, subgroup_rows={("m", "a=x"): 30.0}, requests={("m", "ok"): 100.0})
    assert (shared.shares(["model", "a=x"]), shared.full_share()) == ({"model": 1.0, "a=x": 0.3}, 0.25)
    assert shared.per_second() == 10.0
    assert source(router()).shares(["a=x", "a=z"]) == {"model": 1.0, "a=x": 1.0, "a=z": None}
    assert source(router()).full_share() is None


def test_reason_of_a_group_apart_from_its_mode_is_told() -> None:
    """The configuration, another value that it follows, or requests that are not judged."""
    routes = router()
    routes.set_blind_scopes("m", ["a=x"])
    found = {each.scope: each for each in scope_sources(source(routes))}
    assert (found["model"].answers, found["model"].cause) == ("small", "")
    assert found["a=x"].cause.startswith("Its requests are not judged")
    assert (found["a=y"].cause, found["a=y"].follows) == ("The configuration gives it to the full model.", True)
    assert (found["a=other"].answers, found["a=other"].follows) == ("full", True)


def test_group_in_safe_mode_needs_no_other_reason() -> None:
    """Its mode says why."""
    routes = router()
    routes.set_blind("m", "no row judged for 60 s")
    found = scope_sources(source(routes, {"a=x": Mode(ModeState.SAFE)}))
    assert [each.answers for each in found] == ["full"] * 4
    assert [bool(each.cause) for each in found] == [True, False, True, False]
    assert found[0].cause == "Blind: no row judged for 60 s, the baseline answers."
