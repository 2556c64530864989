import json
import logging
import sys

import pytest

from tightrope.cli import main as cli
from tightrope.demo.broker import Broker
from tightrope.demo.replay import Answer, Row, traffic
from tightrope.demo_run import cluster_story
from tightrope.demo_run.cluster_story import tell

HARMED = "residence=group_quarters"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_story, "traffic", lambda: traffic()[:3000])


def test_story_on_a_cluster_accounts_for_every_sample(kafka: Broker) -> None:
    """Five processes over a real Kafka: the harmed subgroup is saved on both gateways, and the ledger balances."""
    told = json.loads(json.dumps(tell(kafka.address, "bad_distilled_households_only", 1.0, fast=True)))
    assert told["ledger"] == {
        "sampled": 3000,
        "dropped": 0,
        "compared": 3000,
        "dead_lettered": 0,
        "lost": 0,
        "duplicated": 0,
    }
    assert told["compared"] == told["requests"] == 3000
    assert [trip["scope"] for trip in told["trips"]] == [HARMED]
    assert told["served_by"][HARMED]["baseline"] > 0
    assert 0 <= told["switch_seconds"]["median"] <= told["switch_seconds"]["max"] < 10


def test_switch_is_measured_from_the_trip_to_the_first_answer_after_it() -> None:
    """Of the scope that tripped: answers by the baseline before it, and those of others, say nothing."""
    rows = [Row(str(number), (), 0, (HARMED,) if number % 2 else ()) for number in range(6)]
    answers = [
        Answer(row, 0, "baseline" if number != 3 else "compressed", float(number)) for number, row in enumerate(rows)
    ]
    assert cluster_story._first(answers, HARMED, 1.5) == 5.0
    assert cluster_story._first(answers, "model", 1.5) == 2.0
    assert cluster_story._first(answers, HARMED, 5.5) is None


def test_demo_on_a_kafka_that_is_away_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any process is started; what the client logs is silenced, as for the processes of a cluster."""
    monkeypatch.setattr(sys, "argv", ["tightrope", "demo", "--kafka", "127.0.0.1:1"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error Kafka at 127.0.0.1:1: ")
    assert not logging.getLogger("kafka.net").isEnabledFor(logging.ERROR)
