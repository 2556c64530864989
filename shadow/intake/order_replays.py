"""Copies of orders: a program that may write the control topic can write a genuine order again, with its signature.

The judge remembers the latest orders that it carried out, and takes no order whose record is much younger than the
order itself, so that a copy of one that it has forgotten is refused, too.
"""

from collections.abc import Collection

from tightrope.monitors.records import Order
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.wire.envelope import WireError

MAX_ORDER_AGE_SECONDS = 86_400.0
"""The most by which an order may be older than its record: clocks of gateways may be wrong by hours, and an order may
wait for Kafka.
"""


def require_new(order: Order, record: Record, known: Collection[str]) -> None:
    """Check that an order, with the time of its gateway, is not a copy; ``known`` are those that were carried out.

    Raises:
        WireError: when it is, or is too old to tell.
    """
    if order.id in known:
        raise WireError(f"order {order.id}: was carried out already; this record is a copy")
    if record.time and record.time - order.time > MAX_ORDER_AGE_SECONDS:
        hours = (record.time - order.time) / 3600
        raise WireError(f"order {order.id}: is {hours:.0f} hours older than its record; give it again")
