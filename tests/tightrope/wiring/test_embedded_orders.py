"""An operator's own orders page no one; what evidence says does, after the release too."""

import time
from pathlib import Path
from typing import Any

from tests.support.configs import write_config
from tests.support.harmful_pair import MAJORITY, MINORITY, OTHER, config, traffic
from tests.support.in_process import InProcess, run_in_process
from tests.support.observability.firing import firing
from tightrope.monitors.records import Order
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.adapters.wire.record_codec import encode_order

PAGE = "TightropeSafeMode"


def give(running: InProcess, number: str, what: str, scope: str) -> None:
    """Publish an order, and wait for the judge to carry it out."""
    order = Order(number, time.time(), "m", scope, what, "ada", "an incident elsewhere")
    running.parts.service.outbox._bus.publish(topic(CONTROL), encode_order(order), f"m/{scope}")
    assert running.parts.service.engine.router.wait_confirmed(order, 60)


def alerts(running: InProcess) -> list[str]:
    """The alerts that the present figures make fire."""
    running.states()
    text = running.parts.service.engine.metrics.exposition("")[0].decode()
    return firing(text, text)


def shown(running: InProcess, scope: str, of: str = "active") -> float | None:
    """A scope's figure of safe mode."""
    metrics: Any = running.parts.service.engine.metrics
    found: float | None = metrics.registry.get_sample_value(f"tightrope_safe_mode_{of}", {"model": "m", "scope": scope})
    return found


def test_order_pages_no_one_until_evidence_gives_a_reason(tmp_path: Path) -> None:
    """The scope is in safe mode, and so is the one that follows it; the release alone pages no one either."""
    with run_in_process(write_config(tmp_path, config(tmp_path))) as running:
        running.send(traffic(96, harm=False))
        give(running, "o1", "force-safe", MINORITY)
        assert running.states()[MINORITY] == "safe"
        assert PAGE not in alerts(running)
        assert (shown(running, MINORITY), shown(running, MINORITY, "ordered")) == (1, 1)
        assert (shown(running, OTHER), shown(running, OTHER, "ordered")) == (1, 1)
        assert "TightropeHeldSafe" in alerts(running)
        give(running, "o2", "release", MINORITY)
        assert running.states()[MINORITY] == "safe"
        assert PAGE not in alerts(running)
        for seed in range(8):
            running.send(traffic(96, harm=True, seed=seed))
        assert PAGE in alerts(running)
        assert (shown(running, MINORITY, "ordered"), shown(running, MAJORITY)) == (0, 0)


def test_breach_pages_while_an_order_holds_another_scope(tmp_path: Path) -> None:
    """And after an operator has held and released the scope that breached."""
    with run_in_process(write_config(tmp_path, config(tmp_path))) as running:
        give(running, "o1", "force-safe", OTHER)
        for seed in range(8):
            running.send(traffic(96, harm=True, seed=seed))
        assert running.states()[MINORITY] == "safe"
        assert PAGE in alerts(running)
        give(running, "o2", "force-safe", MINORITY)
        assert PAGE not in alerts(running)
        give(running, "o3", "release", MINORITY)
        assert PAGE in alerts(running)
