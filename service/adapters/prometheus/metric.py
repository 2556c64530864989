"""The form of a metric in the catalogue: its type, the component that sets it, its unit and its labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from math import prod

METRIC_PREFIX = "tightrope_"

LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of latency buckets, in seconds: for models from microseconds to seconds."""

BATCH_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384)
"""Upper bounds of batch size buckets, in rows."""

BUCKETS_BY_UNIT = {"seconds": LATENCY_BUCKETS, "rows": BATCH_BUCKETS}
"""The buckets of a histogram by its unit."""


class MetricKind(StrEnum):
    """The Prometheus type of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Component(StrEnum):
    """The component that sets a metric; the embedded process contains all of them."""

    GATEWAY = "gateway"
    WORKER = "worker"
    JUDGE = "judge"
    REPORTER = "reporter"


LabelValues = Mapping[str, Sequence[str]]
"""Values of a label by its name; none where the configuration determines them."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. The values of a label are listed; where the list is empty, the configuration determines them:
    ``model``, ``scope`` (the model and its declared subgroups), ``monitor``, ``owner``.
    """

    kind: MetricKind
    component: Component
    help: str
    unit: str
    labels: LabelValues

    def label_values(self, configured: LabelValues) -> Iterator[dict[str, str]]:
        """Every combination of label values; none if a label's values are neither listed nor ``configured``."""
        values = {name: listed or configured.get(name, ()) for name, listed in self.labels.items()}
        return (dict(zip(values, combination, strict=True)) for combination in product(*values.values()))

    def max_series(self, sizes: Mapping[str, int]) -> int:
        """The most series it can have; ``sizes`` has the number of values of each configured label."""
        combinations = prod(len(listed) or sizes[name] for name, listed in self.labels.items())
        if self.kind is not MetricKind.HISTOGRAM:
            return combinations
        return combinations * (len(BUCKETS_BY_UNIT[self.unit]) + 3)  # the bucket +Inf, the sum, the count

    def full_name(self, name: str) -> str:
        """The name in the exposition."""
        return METRIC_PREFIX + name + ("_total" if self.kind is MetricKind.COUNTER else "")
