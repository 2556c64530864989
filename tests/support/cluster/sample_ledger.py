"""The books of a cluster under load: what became of every request that its gateways sampled, by its id."""

import threading
import time
from collections import Counter
from collections.abc import Sequence

from tests.support.cluster.cluster import Asked, Cluster, until
from tests.support.harmful_pair import traffic
from tightrope.service.adapters.topics import DEAD
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError

PATIENCE = 180.0
UNHINDERED = 3.0
"""Seconds within which a request is answered that waits for nobody, on a machine that has other work; to wait for Kafka
in these tests would take longer.
"""
SETTLED = 0.5
"""Seconds between two looks at what has been judged."""


class Load:
    """Asks a gateway steadily, in a thread, until the block ends."""

    def __init__(self, asked: Asked, per_second: float) -> None:
        self._asked = asked
        self._pause = 1 / per_second
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        rows = traffic(1000, harm=False)
        number = 0
        while not self._over.wait(self._pause):
            self._asked.ask(rows[number % 1000][None])
            number += 1


def balance(made: Cluster, *gateways: Asked) -> dict[str, object]:
    """``{"sampled": n, "dropped": {}, "dead": 0, "lost": 0, "twice": 0}`` where all is well, once nothing moves any
    more: each id of the gateways was dropped for a reason that was counted, parked, or compared; ``twice`` is what the
    judge counted too much of.
    """
    sampled = [name for asked in gateways for name in asked.ids]
    until(lambda: _settled(made, sampled, gateways), PATIENCE)
    reasons = dropped(*gateways)
    compared, dead = made.compared(), _dead(made)
    return {
        "sampled": len(sampled),
        "dropped": dict(reasons),
        "dead": len(dead),
        "lost": len({*sampled} - compared - dead) - reasons.total(),
        "twice": made.judged() - len(compared),
    }


def dropped(*gateways: Asked) -> Counter[str]:
    """How many samples they gave up, by reason."""
    total: Counter[str] = Counter()
    for asked in gateways:
        for metric in asked.gateway.metrics.drops.collect():
            total.update(
                {s.labels["reason"]: int(s.value) for s in metric.samples if s.value and s.name.endswith("_total")}
            )
    return total


def _settled(made: Cluster, sampled: Sequence[str], gateways: Sequence[Asked]) -> bool:
    time.sleep(SETTLED)
    return made.judged() + dropped(*gateways).total() + len(_dead(made)) >= len(sampled)


def _dead(made: Cluster) -> set[str]:
    """The ids in those parked records that can be read."""
    found: set[str] = set()
    for record in made.records(DEAD):
        try:
            found |= {*record_codec.decode_samples(record.value).request_id}
        except WireError:
            continue
    return found
