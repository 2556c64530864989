"""The alerts that the shipped rules fire on recorded scrapes, by promtool itself."""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString
from ruamel.yaml import YAML

from tests.support.observability.alert_rules import RULES
from tests.support.observability.debian_servers import run_tool

SCRAPE_SECONDS = 15
"""The time that a recorded scrape stands for: that between two scrapes in production."""

FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'


LASTING_SCRAPES = 32
"""Eight minutes: longer than a rule about a guard that does not work waits."""


PAUSE_SECONDS = 0.3
"""Time between recorded scrapes: a judge renews its counters every second, within the two minutes of a rate."""


class Recording:
    """The metrics of some members, by name, from before a fault on."""

    def __init__(self, **pages: Callable[[], str]) -> None:
        self._pages = pages
        self._scrapes: dict[str, list[str]] = {name: [] for name in pages}
        self._scrape()

    def firing(self, traffic: Callable[[], object]) -> set[str]:
        """Go on with this traffic between scrapes, for as long as a fault must last; returns the alerts at the end."""
        for _ in range(LASTING_SCRAPES):
            traffic()
            time.sleep(PAUSE_SECONDS)
            self._scrape()
        return replayed(self._scrapes)

    def _scrape(self) -> None:
        for name, page in self._pages.items():
            self._scrapes[name].append(page())


def replayed(recordings: Mapping[str, Sequence[str]]) -> set[str]:
    """Names of the alerts that fire at the end.

    ``recordings`` has the scrapes of each member, in the format of Prometheus, as many of one as of another. The rules
    wait as in production: a fault that lasts for 40 scrapes is one of ten minutes.
    """
    length = max(map(len, recordings.values()))
    test = {
        "interval": f"{SCRAPE_SECONDS}s",
        "input_series": [series for member, scrapes in recordings.items() for series in _series(member, scrapes)],
        "promql_expr_test": [{"expr": FIRING, "eval_time": f"{(length - 1) * SCRAPE_SECONDS}s", "exp_samples": []}],
    }
    document = {"rule_files": [str(RULES / name) for name in ("recording.yml", "alerts.yml")], "tests": [test]}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "replay.yml"
        YAML(typ="safe").dump(document | {"evaluation_interval": f"{SCRAPE_SECONDS}s"}, path)
        _, words = run_tool("promtool", "test", "rules", path)
    assert "parse error" not in words, words
    return set(re.findall(r'alertname="(\w+)"', words.partition("got:")[2]))


def _series(member: str, scrapes: Sequence[str]) -> list[dict[str, str]]:
    """Promtool's notation: values in the order of the scrapes, `_` where a scrape lacks the series."""
    values: dict[str, list[str]] = defaultdict(lambda: ["_"] * len(scrapes))
    for number, scrape in enumerate(scrapes):
        for family in text_string_to_metric_families(scrape):
            for sample in family.samples:
                labels = {**sample.labels, "instance": member}
                written = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
                key = f"{sample.name}{{{written}}}"
                values[key][number] = floatToGoString(sample.value)
    return [{"series": key, "values": " ".join(found)} for key, found in values.items()]


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
