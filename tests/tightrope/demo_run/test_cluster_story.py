import json
import logging
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.support.judgement.replays import shortcomings_of_record
from tightrope.cli import main as cli
from tightrope.demo.broker import Broker
from tightrope.demo.replay import ReplayAnswer, TrafficRow, traffic
from tightrope.demo_run import cluster_story
from tightrope.demo_run.cluster_story import DemoCluster, run_cluster_story
from tightrope.offline.incidents.record_files import all_incidents
from tightrope.service.config.loader import load

UNUSED: Any = None
"""A part of a cluster that is not asked."""

HARMED, UNSURE = "residence=group_quarters", "residence=institution"
"""The second one's decisions keep; the compressed model's confidence in them jumps."""


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_story, "traffic", lambda: traffic()[:3000])


def test_ledger_accounts_for_every_sample(kafka: Broker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Five processes over a real Kafka: the harmed subgroup is saved on both gateways, the ledger balances, and the
    judge's record replays to the byte.
    """
    monkeypatch.setattr(cluster_story.tempfile, "TemporaryDirectory", lambda **_: nullcontext(tmp_path))
    result = json.loads(json.dumps(run_cluster_story(kafka.address, "bad_distilled_households_only", 1.0, fast=True)))
    assert result["ledger"] == {
        "sampled": 3000,
        "dropped": 0,
        "compared": 3000,
        "dead_lettered": 0,
        "lost": 0,
        "duplicated": 0,
    }
    assert result["compared"] == result["requests"] == 3000
    assert [trip["scope"] for trip in result["trips"]] == [HARMED, UNSURE]
    assert result["served_by"][HARMED]["baseline"] > 0
    assert 0 <= result["switch_seconds"]["median"] <= result["switch_seconds"]["max"] < 10
    settings = load(tmp_path / "tightrope.yaml")
    assert {HARMED, UNSURE} <= {scope for each in all_incidents(settings) for scope in each.scopes}
    assert shortcomings_of_record(settings, tmp_path) == []


def test_switch_delay_ends_at_the_first_baseline_answer() -> None:
    """Only answers of the tripped scope by the baseline after the trip count."""
    rows = [TrafficRow(str(number), (), 0, (HARMED,) if number % 2 else ()) for number in range(6)]
    answers = [
        ReplayAnswer(row, 0, "baseline" if number != 3 else "compressed", float(number))
        for number, row in enumerate(rows)
    ]
    assert cluster_story._first_baseline(answers, HARMED, 1.5) == 5.0
    assert cluster_story._first_baseline(answers, "model", 1.5) == 2.0
    assert cluster_story._first_baseline(answers, HARMED, 5.5) is None


def test_result_waits_until_the_gateway_lists_every_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway reads events apart from states, so that it may know the last state before the last event."""
    listed = iter([[], [{"scope": HARMED}], [{"scope": HARMED}, {"scope": UNSURE}]])
    monkeypatch.setattr(cluster_story, "_trips_in_topic", lambda _: [(HARMED, 1.0), (UNSURE, 2.0)])
    monkeypatch.setattr(cluster_story, "trips", lambda _: next(listed))
    found = cluster_story._wait_for_trips(DemoCluster([UNUSED], UNUSED))
    assert [trip["scope"] for trip in found] == [HARMED, UNSURE]


def test_unavailable_kafka_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It fails before any process starts, and the client's log is hidden."""
    monkeypatch.setattr(sys, "argv", ["tightrope", "demo", "--no-prologue", "--kafka", "127.0.0.1:1"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error Kafka at 127.0.0.1:1: ")
    assert not logging.getLogger("kafka.net").isEnabledFor(logging.ERROR)
