"""Topics of the bus contract, and how its tests write and read them."""

from tightrope.service.adapters.ports import Bus, Subscription

SOON = 5.0
TOPIC, OTHER = "contract.one", "contract.two"
COMPACTED = "contract.compacted"
"""The topic that every bus of the contract compacts."""


def publish(bus: Bus, *values: str, topic: str = TOPIC, key: str | None = None) -> None:
    """Publish texts, one record each."""
    for value in values:
        bus.publish(topic, value.encode(), key)
    bus.flush(SOON)


def read(subscription: Subscription, count: int = 100, patience: float = SOON) -> list[str]:
    """Poll once, for something that must be there."""
    return [record.value.decode() for record in subscription.poll(count, patience)]


def read_all(subscription: Subscription, number: int) -> list[str]:
    """So many records, in as many polls as it takes: those of several topics may come one after the other."""
    values: list[str] = []
    while len(values) < number and (more := read(subscription)):
        values += more
    return values


def nothing_in(subscription: Subscription) -> bool:
    """Whether there is nothing to be read for a moment."""
    return not subscription.poll(100, 0.3)


def joined(subscription: Subscription) -> None:
    """Wait until a reader of an empty topic has its place."""
    subscription.poll(1, 1.0)
