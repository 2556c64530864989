"""A cluster on a real broker whose members differ, or whose judge is missing: a student that fails every row answers no
longer than the limit of silence, an alert fires, and what is mended is trusted again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from tests.support.cluster.cluster import Cluster, ClusterGateway, cluster_on, get_page, wait_until
from tests.support.harmful_pair import COMPRESSED, GROUP, HARM, Rows, traffic
from tests.support.in_process import infer_request
from tests.support.observability.replay import Recording
from tests.support.onnx_models import classifier
from tightrope.demo.broker import Broker
from tightrope.monitors.records import Role
from tightrope.service.adapters.kafka.producer import partition_of
from tightrope.service.adapters.kafka.snapshot_store import JUDGE_TOPICS
from tightrope.service.adapters.topics import JUDGES_GROUP
from tightrope.wiring import shadow_processes
from tightrope.wiring.cluster import ClusterProcess

BLIND_SECONDS, SILENT_SECONDS = 3.0, 5.0
CHECK_SECONDS = 1.5
"""Time that a check of the gateway and a busy machine may add."""

UNHEARD = "no judge of this plan has been heard"
"""The reason without its time: since the start, or for some seconds where a machine is busy longer than the limit."""

ANOTHER_FILE, A_THIRD_FILE, ANOTHER_SUBGROUP = "another file", "a third file", "one more subgroup"
SCALES = {ANOTHER_FILE: 2.0, A_THIRD_FILE: 3.0}
"""By how much the weights of these files are larger."""


def harmful(n: int, seed: int = 0) -> Rows:
    """Rows that the student fails, one and all."""
    rows = traffic(n, harm=False, seed=seed)
    rows[:, HARM] = 1.0
    return rows


def ask(gateway: ClusterGateway, rows: Rows, model: str = "m") -> set[Role]:
    """Send one request a row; returns the roles that answered."""
    engine = gateway.gateway
    answers = [engine.infer(engine.pair(model), infer_request(row[None])) for row in rows]
    return {Role(str(answer.parameters["served_by"])) for answer in answers}


def harmed_seconds(gateway: ClusterGateway, seconds: float, model: str = "m") -> float:
    """Send harmful traffic for so long; returns after how many seconds the student gave its last answer, 0 if none."""
    began, last, seed = time.monotonic(), 0.0, 0
    while (now := time.monotonic() - began) < seconds:
        seed += 1
        if Role.COMPRESSED in ask(gateway, harmful(2, seed), model):
            last = now
        time.sleep(0.02)
    return last


def metrics(part: ClusterProcess) -> str:
    """The metrics of a process, as Prometheus reads them."""
    return get_page(part.app, "/metrics").text


def reason(gateway: ClusterGateway, model: str = "m") -> str:
    """The reason for which the baseline answers, as readiness gives it; empty without one."""
    return str(get_page(gateway.app, "/v2/health/ready").json().get("models", {}).get(model, ""))


@contextmanager
def fleet(folder: Path, address: str, prefix: str = "", kind: str = "", **safe_mode: object) -> Iterator[Cluster]:
    """A configuration of its own on the topics of this prefix; ``kind`` says how its model differs."""
    folder.mkdir()
    model: dict[str, Any] = {}
    if kind == ANOTHER_SUBGROUP:
        values = {"minority": [1], "majority": [0], "third": [2]}
        model["subgroups"] = {"group": {"column": GROUP, "values": values}}
    bus = {"prefix": prefix} if prefix else {}
    with cluster_on(folder, address, blind_seconds=BLIND_SECONDS, bus=bus, **model) as members:
        if kind in SCALES:
            classifier(folder / "compressed.onnx", np.asarray(COMPRESSED * SCALES[kind], np.float32))
        change(members, safe_mode={"silent_seconds": SILENT_SECONDS} | safe_mode)
        if not prefix:
            members.make_topics()
        yield members


def change(members: Cluster, **sections: dict[str, Any]) -> None:
    """Change sections of a configuration."""
    yaml = YAML(typ="safe")
    document = yaml.load(members.path)
    for name, values in sections.items():
        document[name] = document.get(name, {}) | values
    yaml.dump(document, members.path)
    members.__post_init__()


def rename(members: Cluster, name: str) -> None:
    """Give the model another name."""
    yaml = YAML(typ="safe")
    document = yaml.load(members.path)
    document["models"] = {name: document["models"]["m"]}
    yaml.dump(document, members.path)
    members.__post_init__()


@contextmanager
def sighted(members: Cluster) -> Iterator[tuple[ClusterGateway, ClusterProcess, ClusterProcess]]:
    """A gateway that the student answers, its worker and its judge."""
    gateway = members.gateway()
    worker, judge = members.start(shadow_processes.worker), members.start(shadow_processes.judge)
    wait_until(lambda: gateway.has_modes)
    ask(gateway, traffic(100, harm=False))
    wait_until(lambda: 'tightrope_rows_judged_total{model="m"} 100.0' in metrics(judge))
    wait_until(lambda: ask(gateway, traffic(2, harm=False)) == {Role.COMPRESSED})
    yield gateway, worker, judge


@pytest.mark.parametrize("kind", [ANOTHER_FILE, ANOTHER_SUBGROUP])
def test_judge_is_upgraded_first(kafka: Broker, tmp_path: Path, kind: str) -> None:
    """It refuses the rows of the old gateway, which knows that; the new gateway and worker are guarded."""
    with (
        fleet(tmp_path / "old", kafka.address) as old,
        fleet(tmp_path / "new", kafka.address, old.prefix, kind) as new,
        sighted(old) as (gateway, worker, judge),
    ):
        old.stop(judge)
        upgraded = new.start(shadow_processes.judge)
        recording = Recording(gateway=lambda: metrics(gateway.part), judge=lambda: metrics(upgraded))
        assert harmed_seconds(gateway, SILENT_SECONDS + 3.0) <= SILENT_SECONDS + CHECK_SECONDS
        assert "no judge judges this plan" in reason(gateway)
        alerts = recording.firing(lambda: ask(gateway, harmful(2)))
        assert {"TightropePlanUnjudged", "TightropeBlind", "TightropeRowsStale"} <= alerts
        old.stop(worker)
        new.start(shadow_processes.worker)
        second = new.gateway()
        wait_until(lambda: second.has_modes)
        ask(second, traffic(100, harm=False))
        wait_until(lambda: ask(second, traffic(2, harm=False)) == {Role.COMPRESSED})
        assert "no judge judges this plan" in reason(gateway), "the old one stays on the baseline"


def test_gateways_have_three_files(kafka: Broker, tmp_path: Path) -> None:
    """The rows of the first gateway do not stand for the others, which the baseline answers from their start."""
    with (
        fleet(tmp_path / "first", kafka.address) as first,
        fleet(tmp_path / "second", kafka.address, first.prefix, ANOTHER_FILE) as second,
        fleet(tmp_path / "third", kafka.address, first.prefix, A_THIRD_FILE) as third,
        sighted(first) as (gateway, _, _),
    ):
        second.start(shadow_processes.worker)
        others = [second.gateway(), third.gateway()]
        recording = Recording(second=lambda: metrics(others[0].part), third=lambda: metrics(others[1].part))
        deadline = time.monotonic() + SILENT_SECONDS
        while time.monotonic() < deadline:
            assert [ask(other, harmful(2)) for other in others] == [{Role.BASELINE}] * 2
            assert ask(gateway, traffic(2, harm=False)) == {Role.COMPRESSED}
            time.sleep(0.1)
        assert all("no judge judges this plan" in reason(other) for other in others)
        assert reason(gateway) == ""
        assert "TightropePlanUnjudged" in recording.firing(lambda: [ask(other, harmful(2)) for other in others])


def test_two_fleets_share_a_prefix(kafka: Broker, tmp_path: Path) -> None:
    """Their judges divide the partitions. The first fleet has a model in each, so the second fleet's judge takes one of
    them, which it does not know: that model is silent, and the baseline answers it.
    """
    mine = partition_of("m", 2)
    apart = next(name for name in ("n", "o", "p", "q", "r", "s") if partition_of(name, 2) != mine)
    with fleet(tmp_path / "one", kafka.address, blind_seconds=0) as one:
        model = YAML(typ="safe").load(one.path)["models"]["m"]
        change(one, models={apart: model})
        with (
            fleet(tmp_path / "two", kafka.address, one.prefix, blind_seconds=0) as two,
            sighted(one) as (gateway, _, _),
        ):
            wait_until(lambda: ask(gateway, traffic(2, harm=False), apart) == {Role.COMPRESSED})
            recording = Recording(gateway=lambda: metrics(gateway.part))
            rename(two, "another")
            two.start(shadow_processes.judge)
            wait_until(lambda: one.assigned_partitions(JUDGES_GROUP) == [len(JUDGE_TOPICS)] * 2)
            for name in ("m", apart):
                assert harmed_seconds(gateway, SILENT_SECONDS + 3.0, name) <= SILENT_SECONDS + CHECK_SECONDS
            silent = [name for name in ("m", apart) if UNHEARD in reason(gateway, name)]
            assert len(silent) == 1
            assert "TightropeJudgeMissing" in recording.firing(lambda: ask(gateway, harmful(2), apart))


def test_judge_does_not_know_a_model(kafka: Broker, tmp_path: Path) -> None:
    """Each model has a clock of its own: the word about another model does not count. With `blind_seconds` 0, so that
    silence alone acts.
    """
    with fleet(tmp_path / "gateways", kafka.address, blind_seconds=0) as known:
        model = YAML(typ="safe").load(known.path)["models"]["m"]
        with fleet(tmp_path / "judges", kafka.address, known.prefix, blind_seconds=0) as fewer:
            change(known, models={"n": model})
            with sighted(known) as (gateway, _, judge):
                wait_until(lambda: ask(gateway, traffic(2, harm=False), "n") == {Role.COMPRESSED})
                recording = Recording(gateway=lambda: metrics(gateway.part))
                known.stop(judge)
                fewer.start(shadow_processes.judge)
                assert harmed_seconds(gateway, SILENT_SECONDS + 3.0, "n") <= SILENT_SECONDS + CHECK_SECONDS
                wait_until(lambda: ask(gateway, traffic(2, harm=False)) == {Role.COMPRESSED})
                assert "no judge of this plan has been heard for" in reason(gateway, "n")
                assert "TightropeJudgeMissing" in recording.firing(lambda: ask(gateway, harmful(2), "n"))
                change(known, safe_mode={"silent_seconds": 600})  # it does not end while this test runs
                later = known.gateway()
                wait_until(lambda: later.has_modes)
                assert ask(later, harmful(6), "n") == {Role.BASELINE}
                assert f"{UNHEARD} since the start" in reason(later, "n")


def test_judge_is_killed_or_never_there(kafka: Broker, tmp_path: Path) -> None:
    """Silence alone acts, a new gateway does not trust the modes that the topic has kept, and one on an empty topic
    trusts nothing. Where an operator asks for it, they are not ready. The judge that comes back finds the harm.
    """
    with fleet(tmp_path / "all", kafka.address, blind_seconds=0) as members:
        early = members.gateway()
        wait_until(lambda: UNHEARD in reason(early))
        assert ask(early, traffic(6, harm=False)) == {Role.BASELINE}, "the topic is empty"
        members.start(shadow_processes.worker)
        with members.process("judge") as judge:
            wait_until(lambda: early.has_modes)
            wait_until(lambda: ask(early, traffic(2, harm=False)) == {Role.COMPRESSED})
            recording = Recording(gateway=lambda: metrics(early.part))
            judge.kill()
            assert harmed_seconds(early, SILENT_SECONDS + 3.0) <= SILENT_SECONDS + CHECK_SECONDS
        assert "TightropeJudgeMissing" in recording.firing(lambda: ask(early, harmful(2)))
        change(members, server={"readiness": "strict"})
        late = members.gateway()
        wait_until(lambda: late.gateway.router.routes("m").epoch >= 0)
        assert ask(late, harmful(20)) == {Role.BASELINE}, "nobody knows whether these modes hold"
        ready = get_page(late.app, "/v2/health/ready")
        assert ready.status_code == 503
        assert "has been heard" in ready.json()["models"]["m"]
        assert get_page(early.app, "/v2/health/ready").status_code == 200, "the baseline answers"
        members.start(shadow_processes.judge)
        wait_until(lambda: early.has_modes and late.has_modes)
        assert get_page(late.app, "/v2/health/ready").json() == {"ready": True}
        wait_until(lambda: late.gateway.router.routes("m").safe != (), SILENT_SECONDS)


def test_silence_that_an_operator_allows(kafka: Broker, tmp_path: Path) -> None:
    """With `when_silent: stay` the modes stay, and only the alert of all judges tells; a start is never trusted."""
    with (
        fleet(tmp_path / "all", kafka.address, blind_seconds=0, when_silent="stay", silent_seconds=1) as members,
        sighted(members) as (gateway, _, judge),
    ):
        members.stop(judge)
        time.sleep(3.0)
        assert ask(gateway, traffic(6, harm=False)) == {Role.COMPRESSED}
        late = members.gateway()
        wait_until(lambda: late.gateway.router.routes("m").epoch >= 0)
        assert ask(late, traffic(6, harm=False)) == {Role.BASELINE}
