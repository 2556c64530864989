"""Orders that no judge confirmed, between the processes of one port: what an operator tells one of them holds in all.

Each is a file in the folder that they share, which the others look for. With a judge the control topic does the same.
"""

import logging
import threading
import time
from pathlib import Path

from tightrope.monitors.records import Order
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.routing.router import Router

log = logging.getLogger(__name__)

EVERY = 0.5
"""Seconds between two looks."""


class Orders:
    """Tells the others what this router was forced to, and forces it to what they tell from now on: what is older was
    perhaps replaced by a judge since then.
    """

    def __init__(self, folder: Path, router: Router) -> None:
        self._folder = folder
        self._router = router
        self._since = time.time()
        self._known: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="orders", daemon=True)
        router.forced = self.tell

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Look no more."""
        self._stopping.set()
        self._thread.join(timeout)

    def tell(self, order: Order) -> None:
        """What this process was forced to."""
        if order.id in self._known:
            return
        self._known.add(order.id)
        draft = self._folder / f"{order.id}.draft"
        try:
            draft.write_bytes(record_codec.encode_order(order))
            draft.rename(draft.with_suffix(".order"))
        except OSError as error:
            log.warning("order %s holds in one process of this port only: %s", order.id, error)

    def look(self) -> None:
        """Once."""
        unknown = [file for file in self._folder.glob("*.order") if file.stem not in self._known]
        self._known.update(file.stem for file in unknown)
        found = (order for file in unknown if (order := _read(file)))
        for order in sorted(found, key=lambda order: order.time):
            if order.time >= self._since:
                self._router.force(order)

    def _run(self) -> None:
        while not self._stopping.wait(EVERY):
            self.look()


def _read(file: Path) -> Order | None:
    """What a file tells; one that cannot be read must not end the looking."""
    try:
        return record_codec.decode_order(file.read_bytes())
    except (OSError, WireError) as error:
        log.warning("%s: not an order that can be carried out: %s", file.name, error)
        return None
