"""Promtool's verdict on recorded scrapes, which the fault tests ask for."""

import pytest

from tests.support.observability import replay
from tests.support.observability.replay import LASTING_SCRAPES, Recording, replayed

WATCHDOG = {"TightropeWatchdog"}
LONG = LASTING_SCRAPES


def scrapes(*unjudged: int) -> list[str]:
    """Scrapes of a gateway that answers, and whose plan is unjudged where the number is 1."""
    return [
        f'tightrope_requests_total{{model="m",outcome="ok"}} {number}\n'
        f'tightrope_judge_missing{{model="m",cause="plan"}} {level}\n'
        for number, level in enumerate(unjudged)
    ]


@pytest.mark.parametrize(
    ("levels", "fires"),
    [([0] * LONG, False), ([0] * LONG + [1] * 4, False), ([0] * 4 + [1] * LONG, True)],
    ids=["never", "for a minute", "for eight minutes"],
)
def test_rules_wait_as_in_production(levels: list[int], fires: bool) -> None:  # noqa: FBT001 - a case
    """A level must last, and only what fires at the end counts; one member of two is enough."""
    found = replayed({"one": scrapes(*levels), "two": scrapes(*[0] * len(levels))})
    assert found == WATCHDOG | ({"TightropePlanUnjudged"} if fires else set())


def test_recording_has_the_growth_of_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that a judge refuses between the scrapes, for as long as the recording lasts."""
    monkeypatch.setattr(replay, "PAUSE_SECONDS", 0.0)
    refused = 0

    def refuse() -> None:
        nonlocal refused
        refused += 1

    def page() -> str:
        stale = 'tightrope_rows_stale_total{model="m",reason="a \\"quoted\\" plan"}'
        return f"{scrapes(0)[0]}{stale} {refused}\n"

    assert Recording(judge=page).firing(refuse) == WATCHDOG | {"TightropeRowsStale"}
    assert Recording(judge=page).firing(lambda: None) == WATCHDOG
