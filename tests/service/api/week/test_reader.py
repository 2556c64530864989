"""Every figure of a week is that of the API: each is computed anew from the events, the days and the overview."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.week.simulated import DAY, MONDAY, NAME, NOW, WEEK, Judged, KeptDays, SimulatedWeek, simulated_week
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.service.api.week.iso_week import Week, WeekNameError
from tightrope.service.api.week.reader import CHART_WEEKS
from tightrope.service.errors import UnavailableError


def model_of(document: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """The one model of a week."""
    (model,) = document["models"]
    return model


def test_harm_is_that_of_the_events(week: SimulatedWeek) -> None:
    """Seconds and answers follow from the alarm's event and the group's share in the overview."""
    (case,) = model_of(week.document())["harm"]["cases"]
    (event,) = week.client.get(f"/v1/events?model={NAME}&kind=breach").json()["events"]
    (group,) = [
        each for each in week.client.get("/v1/overview").json()["models"][0]["groups"] if each["scope"] == case["scope"]
    ]
    found = event["detail"]["monitors"][0]
    since, now, rows = found["since"], found["now"], event["detail"]["samples"]
    assert (case["seq"], case["at"], case["scope"]) == (event["seq"], event["time"], event["scope"])
    assert case["seconds"]["about"] == pytest.approx(event["time"] - since["time"])
    assert case["answers"]["about"] == pytest.approx((rows - since["number"]) * group["share"] * now["mean"])
    assert case["answers"]["least"] == pytest.approx((rows - since["latest"]) * group["share"] * now["lower"])
    assert case["answers"]["most"] == pytest.approx((rows - since["earliest"]) * group["share"] * now["upper"])


def test_times_of_the_full_model_are_those_of_the_events(week: SimulatedWeek) -> None:
    """Each begins and ends with an event."""
    events = week.client.get(f"/v1/events?model={NAME}&order=asc&after=0").json()["events"]
    times = {event["id"]: event["time"] for event in events}
    found = [(each["since"], each["until"]) for each in model_of(week.document())["harm"]["by_full"]]
    assert found == [(times["e1"], times["e4"]), (times["e2"], times["e3"]), (times["e5"], times["e6"])]


def test_savings_and_cost_are_those_of_the_days(week: SimulatedWeek) -> None:
    """Hours, shares and money; each part of safety by itself."""
    document = week.document()
    model, path = model_of(document), f"/v1/models/{NAME}/cost/days?from={document['first']}&to={document['last']}"
    days = week.client.get(path).json()["days"]
    assert len(days) == 6
    cpu = [day["cpu_seconds"] for day in days]
    small, full = (sum(day["rows"][role] for day in days) for role in ("compressed", "baseline"))
    alone = sum(day["other_model_cpu_seconds"]["answer"] + day["cpu_seconds"]["fallback"] for day in days) / 3600
    taken = sum(sum(each.values()) for each in cpu) / 3600
    saving, safety = model["saving"], model["safety"]
    assert (saving["small_rows"], saving["full_rows"]) == (small, full)
    assert saving["small_share"] == pytest.approx(small / (small + full))
    assert saving["alone_hours"] == pytest.approx(alone)
    assert saving["left_hours"] == pytest.approx(alone - taken)
    assert saving["saved_hours"] - safety["hours"] == pytest.approx(alone - taken)
    assert safety["comparing_hours"] == pytest.approx(sum(each["shadow"] for each in cpu) / 3600)
    assert safety["share"] == pytest.approx(safety["hours"] / alone)
    assert saving["left_money"] == pytest.approx(0.05 * (alone - taken))
    assert safety["money"] == pytest.approx(0.05 * safety["hours"])


def test_unknown_groups_and_promises_are_those_of_the_overview(week: SimulatedWeek) -> None:
    """And of the verdicts."""
    model = model_of(week.document())
    overview = week.client.get("/v1/overview").json()["models"][0]
    (few,) = [each["says"] for each in model["unknown"] if each["kind"] == "few"]
    (unseen,) = overview["unseen"]
    assert f"{unseen['title']} ({unseen['rows']} of {unseen['needed']})" in few
    verdicts = week.client.get(f"/v1/models/{NAME}/verdicts").json()["verdicts"]
    whole = next(each["limit"] for each in verdicts if each["scope"] == "model")
    assert f"At most 1 in {round(1 / whole)} answers" in model["promises"][0]


def test_chart_has_the_sums_of_each_week(week: SimulatedWeek) -> None:
    """The last one is this week; weeks without days have no figures."""
    document = week.document()
    assert len(document["weeks"]) == CHART_WEEKS
    assert document["weeks"][0] == {"week": "2026-W41", "saved_hours": None, "safety_hours": None}
    last, model = document["weeks"][-1], model_of(document)
    assert last["week"] == WEEK
    assert last["saved_hours"] == pytest.approx(model["saving"]["saved_hours"])
    assert last["safety_hours"] == pytest.approx(model["safety"]["hours"])


def test_week_without_a_record_is_unknown_and_never_none(tmp_path: Path) -> None:
    """No days, no events, nothing compared: no figure is 0 that is not counted."""
    with simulated_week(tmp_path, [], days=[], judged=Judged(compared=0)) as simulated:
        model = model_of(simulated.document())
    assert model["harm"]["answer"] == "unknown"
    assert {model["saving"][name] for name in ("small_share", "alone_hours", "saved_hours", "left_hours")} == {None}
    assert {model["safety"][name] for name in ("comparing_hours", "instead_hours", "hours", "share", "money")} == {None}
    assert {"trail", "ledger"} <= {each["kind"] for each in model["unknown"]}


def test_harm_is_told_while_the_ledger_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures are unknown, and the letter says so."""

    def locked(*_: object) -> None:
        raise UnavailableError("costs.db: the costs cannot be read now")

    monkeypatch.setattr(KeptDays, "between", locked)
    with simulated_week(tmp_path) as simulated:
        model = model_of(simulated.document())
    assert model["harm"]["answer"] == "yes"
    assert model["saving"]["alone_hours"] is None
    assert "ledger" in {each["kind"] for each in model["unknown"]}


def test_decisions_that_follow_from_today_are_not_those_of_an_old_week(tmp_path: Path) -> None:
    """An order that holds now is due this week and in the letter of the last one."""
    judged = Judged(modes={"model": Mode(ModeState.LATCHED, since=MONDAY)})
    with simulated_week(tmp_path, judged=judged) as simulated:
        kinds = {each["kind"] for each in simulated.document()["decisions"]}
        simulated.now = NOW + 14 * DAY
        old = {each["kind"] for each in simulated.document()["decisions"]}
    assert kinds == {"harm", "stays"}
    assert old == {"harm"}


def test_week_to_come_is_refused(week: SimulatedWeek) -> None:
    """The week of today is the default."""
    assert week.weeks.week(None).name == "2026-W49"
    with pytest.raises(WeekNameError, match="2026-W50 is still to come; this is 2026-W49"):
        week.weeks.week("2026-W50")


def test_answer_is_kept_for_a_moment_and_few_are(week: SimulatedWeek) -> None:
    """However many weeks are asked for."""
    chosen = Week.parse(WEEK)
    first = week.weeks.answer(chosen)
    assert week.weeks.answer(chosen) is first
    assert week.weeks.answer(chosen, fresh=True) is not first
    for number in range(20):
        week.weeks.answer(chosen.shifted(-number))
    assert len(week.weeks._answers) <= 8
