"""The cost by which a sweep recommends."""

from enum import StrEnum


class Goal(StrEnum):
    """The cost by which a qualified variant is recommended."""

    SIZE = "size"
    LATENCY = "latency"
    ENERGY = "energy"
