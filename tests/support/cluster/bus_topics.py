"""Topics for the tests of the bus contract, with helpers to write and read them."""

from tightrope.service.adapters.ports import Bus, Subscription

POLL_SECONDS = 5.0
TOPIC, OTHER_TOPIC = "contract.one", "contract.two"
COMPACTED_TOPIC = "contract.compacted"
"""The topic that every bus of the contract compacts."""


def publish(bus: Bus, *values: str, topic: str = TOPIC, key: str | None = None) -> None:
    """Publish texts, one record each."""
    for value in values:
        bus.publish(topic, value.encode(), key)
    bus.flush(POLL_SECONDS)


def read(subscription: Subscription, count: int = 100, timeout: float = POLL_SECONDS) -> list[str]:
    """Poll once for records that must exist."""
    return [record.value.decode() for record in subscription.poll(count, timeout)]


def read_all(subscription: Subscription, number: int) -> list[str]:
    """Poll until there are ``number`` records: those of several topics may come in several polls."""
    values: list[str] = []
    while len(values) < number and (more := read(subscription)):
        values += more
    return values


def is_empty(subscription: Subscription) -> bool:
    """Whether a poll of a moment returns no record."""
    return not subscription.poll(100, 0.3)


def join_group(subscription: Subscription) -> None:
    """Wait until a reader of an empty topic has its partitions."""
    subscription.poll(1, 1.0)
