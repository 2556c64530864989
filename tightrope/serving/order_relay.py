"""Relay of operators' orders between the processes of one port, for the time when no judge confirms them.

Each order is a file in the shared folder, which every process polls. With a judge, the control topic does the same.
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

ORDER_POLL_SECONDS = 0.5


class OrderRelay:
    """Publishes the orders that this process's router applied, and applies those of the other processes.

    Orders older than this relay are ignored: a judge may have replaced them since.
    """

    def __init__(self, folder: Path, router: Router) -> None:
        self._folder = folder
        self._router = router
        self._since = time.time()
        self._known: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="orders", daemon=True)
        router.on_forced = self.publish

    def start(self) -> None:
        """Start to poll."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop polling."""
        self._stopping.set()
        self._thread.join(timeout)

    def publish(self, order: Order) -> None:
        """Write an order of this process to the folder."""
        if order.id in self._known:
            return
        self._known.add(order.id)
        draft = self._folder / f"{order.id}.draft"
        try:
            draft.write_bytes(record_codec.encode_order(order))
            draft.rename(draft.with_suffix(".order"))
        except OSError as error:
            log.warning("order %s holds in one process of this port only: %s", order.id, error)

    def poll(self) -> None:
        """Apply the new orders in the folder, oldest first."""
        unknown = [file for file in self._folder.glob("*.order") if file.stem not in self._known]
        self._known.update(file.stem for file in unknown)
        orders = (order for file in unknown if (order := _read(file)))
        for order in sorted(orders, key=lambda order: order.time):
            if order.time >= self._since:
                self._router.force(order)

    def _run(self) -> None:
        while not self._stopping.wait(ORDER_POLL_SECONDS):
            self.poll()


def _read(file: Path) -> Order | None:
    """Return the order in a file; log and return None if it is unreadable, so that polling continues."""
    try:
        return record_codec.decode_order(file.read_bytes())
    except (OSError, WireError) as error:
        log.warning("%s: not an order that can be carried out: %s", file.name, error)
        return None
