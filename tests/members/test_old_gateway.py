"""A gateway of the first release beside a judge of this one that asks some classes again, which it does not know."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.cluster.cluster import cluster_of, wait_until, write_config_on
from tests.support.harmful_pair import Rows, request
from tests.support.members.member import Member
from tests.support.members.releases import first_release
from tests.support.narrowed_pair import AT_ONCE, by_answer, config, rows
from tightrope.demo.broker import Broker
from tightrope.wiring import shadow_processes

pytestmark = pytest.mark.upgrades

MOST_ROWS = 16_384


def served_by(member: Member, sent: Rows) -> set[str]:
    """The models that answer requests of one row each."""
    url = f"http://{member.address}/v2/models/m/infer"
    answers = [httpx.post(url, json=request(row), timeout=10.0).raise_for_status().json() for row in sent]
    return {str(answer["parameters"]["served_by"]) for answer in answers}


def test_old_gateway_has_the_baseline_answer_the_whole_model(kafka: Broker, tmp_path: Path) -> None:
    """While a gateway of this release asks some answers again, that of the first one, which sees the model as safe, has
    the baseline answer all of them.
    """
    whole = config(tmp_path)
    path = write_config_on(kafka.address, tmp_path, whole)
    with cluster_of(path) as cluster:
        cluster.make_topics()
        for part in (shadow_processes.worker, shadow_processes.judge):
            cluster.start(part)
        gateway = cluster.gateway()
        (tmp_path / "old").mkdir()
        model: dict[str, Any] = {name: whole["models"]["m"][name] for name in ("baseline", "compressed")}
        old_config = {"models": {"m": model}, "state": "state"}
        old_path = write_config_on(kafka.address, tmp_path / "old", old_config, {"prefix": cluster.prefix})
        old = Member("serve", first_release(), old_path, tmp_path / "old.log")
        try:
            wait_until(lambda: gateway.has_modes)
            old.wait_ready()
            sent, router = rows(MOST_ROWS), gateway.gateway.router
            said, others = by_answer(sent)
            assert served_by(old, others) == {"compressed"}
            for begin in range(0, MOST_ROWS, AT_ONCE):
                if router.asked_classes("m"):
                    break
                body = request(sent[begin : begin + AT_ONCE])
                httpx.post(f"http://{old.address}/v2/models/m/infer", json=body, timeout=10.0).raise_for_status()
            wait_until(lambda: bool(router.asked_classes("m")))
            assert {answer.parameters["served_by"] for answer in gateway.ask(others)} == {"compressed"}
            wait_until(lambda: served_by(old, others) == {"baseline"})
            assert served_by(old, said) == {"baseline"}
        finally:
            old.kill()
