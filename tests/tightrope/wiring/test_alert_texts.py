"""The judge's alerts as people get them: urgent by what is at stake, in plain words, with a link to the case."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import UNWRITTEN, config
from tightrope.monitors.records import Event
from tightrope.service.adapters.ports import Alert
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.config.loader import Settings, load
from tightrope.service.config.state import RecordSection
from tightrope.shadow.alerts import (
    ADVISED_ALERT,
    ALERT_NAMES,
    HELD_ALERT,
    HELD_SAFE_ALERT,
    LATCHED_ALERT,
    SAFE_MODE_ALERT,
)
from tightrope.wiring.alert_texts import ADVICE, SUMMARIES, AlertWriter, alert_severity, alert_texts
from tightrope.wiring.paging import alert_writer

GROUP = "residence=group_quarters"
CASE = {
    "monitor": "disagreement", "variant": "", "limit": 0.1, "evidence": 8.61, "threshold": 8.5,
    "now": {"mean": 0.643, "lower": 0.41, "upper": 0.82, "rows": 28},
    "since": {"number": 420, "earliest": 260, "latest": 520, "unit": "request", "time": 0.0},
}  # fmt: skip
BREACH = Event(
    "m/7", 1_764_260_510.0, "m", "breach", GROUP, "judge", "disagreement", {"moved": True, "monitors": [CASE]}
)
ORDER = Event("m/8", 1_764_260_510.0, "m", "force-safe", GROUP, "ada", "incident 7", {"moved": True})


def alert(
    name: str = SAFE_MODE_ALERT, scope: str = GROUP, share: float | None = 0.06, cause: Event | None = None
) -> Alert:
    """Make an alert of model ``m``."""
    return Alert(name, "m", scope, None, {}, replace(cause, scope=scope) if cause else None, share)


@pytest.mark.parametrize(
    ("name", "scope", "share", "page", "severity"),
    [
        (SAFE_MODE_ALERT, "model", 1.0, "large", "page"),
        (SAFE_MODE_ALERT, GROUP, 0.2, "large", "page"),
        (SAFE_MODE_ALERT, GROUP, 0.19, "large", "ticket"),
        (SAFE_MODE_ALERT, GROUP, None, "large", "page"),
        (SAFE_MODE_ALERT, GROUP, 0.01, "always", "page"),
        (SAFE_MODE_ALERT, "model", 1.0, "never", "ticket"),
        (LATCHED_ALERT, "model", 1.0, "always", "ticket"),
        (ADVISED_ALERT, GROUP, 0.01, "large", "page"),
        (ADVISED_ALERT, GROUP, 0.01, "never", "ticket"),
        (HELD_ALERT, GROUP, 0.01, "large", "page"),
        (HELD_SAFE_ALERT, "model", 1.0, "always", "info"),
    ],
)
def test_severity_is_what_is_at_stake(name: str, scope: str, share: float | None, page: str, severity: str) -> None:
    """A share that is not known counts as large; an order never pages."""
    assert alert_severity(alert(name, scope, share), page) == severity


@pytest.mark.parametrize(
    ("mode", "page", "severity"),
    [(None, "large", "ticket"), (None, "always", "page"), (None, "never", "ticket"), ("advisory", "large", "page")],
)
def test_harm_by_limits_that_no_person_chose_is_a_ticket(
    tmp_path: Path, mode: str | None, page: str, severity: str
) -> None:
    """A model without a mode and limits of its own advises; who writes `mode: advisory` knows the limits."""
    changes = {**UNWRITTEN, "mode": mode, "page": page}
    settings = load(write_config(tmp_path, config(tmp_path, **changes)), {})
    assert AlertWriter(settings.models).completed(alert(ADVISED_ALERT, "model", 1.0)).severity == severity


def test_alert_of_a_group_says_who_how_much_since_when_and_what_to_do() -> None:
    """And that its callers are served, and by which model."""
    assert alert_texts(alert(cause=BREACH), "ticket") == {
        "summary": "m: the full model answers group quarters (residence), 6.0 % of requests",
        "description": "The full model took over for group quarters (residence): 64 % (41 to 82 %) of answers differ, "
        "10 % tolerated, since about request 420 (260 to 520), 28 answers. Since 2025-11-27 16:21 UTC. Callers are "
        "served: by the full model. Nobody else is touched. There is nothing to do tonight. Look at it in working "
        "hours: the page says whether it will return.",
    }


def test_alert_of_the_whole_model_says_to_watch_the_full_models_load() -> None:
    """The whole traffic needs the full model's capacity."""
    texts = alert_texts(alert(scope="model", share=1.0, cause=BREACH), "page")
    assert texts["summary"] == "m: the full model answers everybody"
    assert texts["description"].endswith(
        "Callers are served: by the full model. It costs capacity: check that the full model bears its requests. "
        "Otherwise there is nothing to do tonight."
    )


def test_order_is_told_with_its_person_and_reason() -> None:
    """A scope that the statement withholds has its own words; after a restart the person is not known."""
    texts = alert_texts(alert(HELD_SAFE_ALERT, cause=ORDER), "info")
    assert texts["summary"] == "m: ada had the full model answer group quarters (residence), 6.0 % of requests"
    assert (
        "ada had the full model answer group quarters (residence): incident 7. Since 2025-11-27" in texts["description"]
    )
    assert f"until somebody gives it back: tightrope release CONFIG m {GROUP} --reason TEXT." in texts["description"]
    assert alert_texts(alert(HELD_SAFE_ALERT), "info")["summary"].startswith("m: a person had the full model")
    withheld = alert_texts(alert(HELD_SAFE_ALERT, cause=replace(ORDER, kind="withheld", actor="judge")), "info")
    assert withheld["summary"].startswith("m: its statement of qualification had the full model answer")
    assert withheld["description"].endswith("The small model returns once it has proved itself.")


@pytest.mark.parametrize("name", ALERT_NAMES)
@pytest.mark.parametrize("cause", [None, BREACH, replace(BREACH, kind="blind", reason="no row was compared")])
def test_texts_have_no_words_of_the_machine(name: str, cause: Event | None) -> None:
    """Every alert says who is answered by which model, without evidence as a logarithm."""
    texts = alert_texts(alert(name, cause=cause), "ticket")
    both = texts["summary"] + texts["description"]
    assert not re.search(r"10\^|e-value|scope|breach|latched|baseline|compressed|[{}]", both), both
    assert "Callers" in texts["description"]
    assert re.search(r"full model|small model", texts["description"])


def test_every_alert_has_its_texts() -> None:
    """One without would fail when it is needed."""
    assert set(SUMMARIES) == set(ADVICE) == set(ALERT_NAMES)


def settings(folder: Path, model: dict[str, Any], **alerts: object) -> Settings:
    """Return a configuration whose model has these keys as well."""
    given = config(folder)
    given["models"]["m"] |= model
    return load(write_config(folder, {**given, "alerts": alerts}), {})


def test_configuration_gives_severity_owner_and_link(tmp_path: Path) -> None:
    """The link leads to the case of the event, or to the group where its number is not known."""
    trail = SqliteStore(tmp_path / "judge.db")
    trail.save("", {}, {}, [replace(BREACH, id=f"m/{number}") for number in range(9)])
    given = settings(tmp_path, {"owner": "team-credit", "page": "always"}, gateway="https://t.example.com")
    completed = alert_writer(given, trail).completed(alert(cause=BREACH))
    assert (completed.severity, completed.labels) == ("page", {"owner": "team-credit", "actor": "judge"})
    case = "https://t.example.com/#/m/residence%3Dgroup_quarters"
    assert completed.annotations["page_url"] == f"{case}?event=8"
    assert alert_writer(given, None).completed(alert(cause=BREACH)).annotations["page_url"] == case
    assert alert_writer(given, trail).completed(alert()).annotations["page_url"] == case


def test_alert_leads_to_its_incident_where_incidents_are_recorded(tmp_path: Path) -> None:
    """By model and time, in a cluster, too, whose gateways have what its judges publish; without a record or a cause
    there is no link.
    """
    recorded = settings(tmp_path, {}, gateway="https://t.example.com")
    assert recorded.record == RecordSection()
    given, trail = recorded.model_copy(update={"record": None}), SqliteStore(tmp_path / "judge.db")
    completed = alert_writer(recorded, trail).completed(alert(cause=BREACH))
    link = "https://t.example.com/v1/models/m/incidents/1764260510.0"
    assert completed.annotations["incident_url"] == link
    assert alert_writer(recorded, None).completed(alert(cause=BREACH)).annotations["incident_url"] == link
    assert "incident_url" not in alert_writer(given, trail).completed(alert(cause=BREACH)).annotations
    assert "incident_url" not in alert_writer(recorded, trail).completed(alert()).annotations


def test_alert_without_owner_or_address_has_neither_label_nor_link(tmp_path: Path) -> None:
    """An empty label would be none for Alertmanager, and the example address leads nowhere."""
    completed = alert_writer(settings(tmp_path, {}), None).completed(alert(HELD_SAFE_ALERT, cause=ORDER))
    assert (completed.severity, completed.labels) == ("info", {"actor": "ada"})
    assert "page_url" not in completed.annotations
    assert AlertWriter({}).completed(alert(HELD_SAFE_ALERT)).labels == {}


def test_narrowed_model_is_told_by_its_classes() -> None:
    """The full model does not answer all requests."""
    narrow = {**BREACH.detail, "after": {"state": "safe", "asked": [3]}, "asked": ["cat"]}
    texts = alert_texts(alert(scope="model", share=1.0, cause=replace(BREACH, detail=narrow)), "page")
    assert texts["summary"] == "m: the full model is asked again where the small one says “cat”"
    assert "by the full model where the small one says “cat”, by the small one all others." in texts["description"]
    assert "everybody" not in texts["description"]
