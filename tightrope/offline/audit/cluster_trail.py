"""Reads the chains of events on the topic of a cluster."""

from contextlib import closing
from dataclasses import replace

from tightrope.service.adapters.audit.cluster_chains import ClusterTrail, chains_of
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.topics import EVENTS, topic
from tightrope.service.config.loader import Settings
from tightrope.wiring.topics import kafka_options

EVENT_READ_SECONDS = 1.0


def read_chains(settings: Settings) -> ClusterTrail:
    """The chains on the topic of events.

    Raises:
        BusUnavailableError: when Kafka does not answer.
    """
    options = replace(kafka_options(settings), signing=None)  # events are not signed as records
    records: list[Record] = []
    with closing(KafkaBus(options).subscribe(topic(EVENTS))) as reader:
        while reader.lag():
            records += reader.poll(1000, EVENT_READ_SECONDS)
    return chains_of(records)
