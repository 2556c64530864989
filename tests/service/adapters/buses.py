"""Topics of the bus contract, and how its tests write and read them."""

from service.adapters.ports import Bus, Subscription

SOON = 5.0
TOPIC, OTHER = "contract.one", "contract.two"
COMPACTED = "contract.compacted"
"""The topic that every bus of the contract compacts."""


def publish(bus: Bus, *values: str, topic: str = TOPIC, key: str | None = None) -> None:
    """Publish texts, one record each."""
    for value in values:
        bus.publish(topic, value.encode(), key)
    bus.flush(SOON)


def read(subscription: Subscription, count: int = 100, patience: float = 0.0) -> list[str]:
    """Poll once."""
    return [record.value.decode() for record in subscription.poll(count, patience)]
