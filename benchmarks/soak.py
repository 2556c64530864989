"""Soak: one gateway under a steady load for hours, and what that costs: bytes written, state, memory, files, latency.

``python -m benchmarks.soak [MINUTES] [--per-second N] [--labels SHARE]`` prints one line for each twelfth of the time,
and the slope of the memory after the first half, by default of two hours at 300 requests a second. Environment
variables reach the server, such as ``MALLOC_ARENA_MAX``. Linux only: it reads /proc.
"""

import argparse
import http.client
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from ruamel.yaml import YAML

from tightrope.demo.replay import DEMO_MODEL, traffic
from tightrope.demo_run.gateway_process import process_command, read_address, running_process, write_demo_config

DEFAULT_MINUTES, DEFAULT_PER_SECOND = 120.0, 300.0
PARTS = 12
"""Lines of the report, one for each equal part of the time."""
FEWEST_REQUESTS = 2
"""A part ends after its time, but not before this number of requests have ended: percentiles need them."""

SENDERS = 4
LABEL_HORIZON = 3600
HTTP_ERROR = 400
HEADER = (
    f"{'minute':>6} {'requests':>9} {'errors':>6} {'p50 ms':>7} {'p99 ms':>7} {'CPU ms/req':>10} "
    f"{'written B/req':>13} {'wchar B/req':>11} {'state MB':>8} {'WAL MB':>6} {'RSS MB':>6} {'files':>5}"
)
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage of a server until now: seconds on the clock and of CPU, bytes, and open files."""

    time: float
    cpu: float
    wchar: int
    written: int
    rss: int
    files: int
    state: int
    wal: int


class Load:
    """Sends one row a request at a steady rate over a few connections until it is stopped; collects the latencies."""

    def __init__(self, address: str, token: str, per_second: float, labelled: float) -> None:
        self._address = urlsplit(address).netloc
        self._token = token
        self._interval = SENDERS / per_second
        self._labelled = labelled
        self._stopping = threading.Event()
        self._latencies: list[float] = []
        self._errors = 0
        self._threads = [threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def take(self) -> tuple[list[float], int]:
        """The latencies in seconds and the number of errors since the last call."""
        latencies, self._latencies = self._latencies, []
        errors, self._errors = self._errors, 0
        return latencies, errors

    @property
    def ended(self) -> int:
        """The requests that ended since the last `take`."""
        return len(self._latencies) + self._errors

    def stop(self) -> None:
        """Stop sending."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _send(self, sender: int) -> None:
        with closing(http.client.HTTPConnection(self._address, timeout=30)) as connection:
            self._send_rows(sender, connection)

    def _send_rows(self, sender: int, connection: http.client.HTTPConnection) -> None:
        rows, number, draws = cycle(traffic()), 0, np.random.default_rng(sender)
        began = time.monotonic() + sender * self._interval / SENDERS
        while not self._stopping.wait(max(0.0, began + number * self._interval - time.monotonic())):
            row, name = next(rows), f"soak-{sender}-{number}"
            number += 1
            tensor = {"name": "input", "shape": [1, len(row.codes)], "datatype": "FP32", "data": row.codes}
            sent = time.perf_counter()
            try:
                self._post(connection, "v2", "infer", {"id": name, "inputs": [tensor]})
                self._latencies.append(time.perf_counter() - sent)
                if draws.random() < self._labelled:
                    self._post(connection, "v1", "labels", {"labels": [{"id": name, "label": row.label}]})
            except (OSError, http.client.HTTPException):
                self._errors += 1
                connection.close()

    def _post(self, connection: http.client.HTTPConnection, version: str, what: str, body: object) -> None:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        connection.request("POST", f"/{version}/models/{DEMO_MODEL}/{what}", json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        self._errors += answer.status >= HTTP_ERROR


def measure(process: int, state: Path) -> Usage:
    """The usage of a process, and the size of its state.

    >>> measure(os.getpid(), Path("nowhere")).rss > 0
    True
    """
    proc = Path(f"/proc/{process}")
    written = dict(line.split(": ") for line in (proc / "io").read_text().splitlines())
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    sizes = {path.name: path.stat().st_size for path in state.glob("*") if path.is_file()}
    return Usage(
        time=time.monotonic(),
        cpu=(int(fields[11]) + int(fields[12])) / TICK,
        wchar=int(written["wchar"]),
        written=int(written["write_bytes"]),
        rss=int((proc / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        files=len(list((proc / "fd").iterdir())),
        state=sum(sizes.values()),
        wal=sum(size for name, size in sizes.items() if name.endswith("-wal")),
    )


def slope(usages: Sequence[Usage]) -> float:
    """The growth of resident memory in bytes an hour, as a line through all points.

    >>> points = [Usage(t, 0, 0, 0, 1000 + int(t), 0, 0, 0) for t in (0.0, 60.0, 120.0)]
    >>> round(slope(points))
    3600
    """
    times = np.array([usage.time for usage in usages])
    return float(np.polyfit(times - times[0], [usage.rss for usage in usages], 1)[0] * 3600)


def soak(minutes: float, per_second: float, labelled: float) -> Iterator[str]:
    """Run the soak; yields the lines of the report as they come."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, token = write_demo_config(folder, "good_int8", 1.0, reports={"keep_rows": 0})
        if labelled:
            _await_labels(path)
        state = folder / "state"
        with running_process(process_command("run", path)) as process:
            load = Load(read_address(process), token, per_second, labelled)
            usages = [measure(process.pid, state)]
            yield HEADER
            points = [usages[0]]
            for _ in range(PARTS):
                ends = time.monotonic() + minutes * 60 / PARTS
                while (left := ends - time.monotonic()) > 0 or load.ended < FEWEST_REQUESTS:
                    time.sleep(min(max(left, 0.05), 5.0))
                    points.append(measure(process.pid, state))
                usages.append(points[-1])
                yield _line(usages, *load.take())
            load.stop()
            half = [point for point in points if point.time - points[0].time > minutes * 30]
            yield f"slope of RSS after the first half: {slope(half) / 1e6:+.1f} MB an hour"


def _await_labels(path: Path) -> None:
    """Let the rows of a configuration wait for labels."""
    yaml = YAML(typ="safe")
    config = yaml.load(path)
    config["models"][DEMO_MODEL]["labels"] = {"horizon_seconds": LABEL_HORIZON}
    yaml.dump(config, path)


def _line(usages: Sequence[Usage], latencies: Sequence[float], errors: int) -> str:
    before, now = usages[-2], usages[-1]
    p50, p99 = np.percentile(latencies, [50, 99]) * 1000 if latencies else (float("nan"),) * 2
    requests = max(len(latencies), 1)
    return (
        f"{(now.time - usages[0].time) / 60:6.1f} {len(latencies):9d} {errors:6d} {p50:7.2f} {p99:7.2f} "
        f"{(now.cpu - before.cpu) / requests * 1000:10.2f} {(now.written - before.written) / requests:13.0f} "
        f"{(now.wchar - before.wchar) / requests:11.0f} {now.state / 1e6:8.2f} {now.wal / 1e6:6.2f} "
        f"{now.rss / 1e6:6.1f} {now.files:5d}"
    )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=str(__doc__).splitlines()[0])
    default = float(os.environ.get("SOAK_MINUTES", DEFAULT_MINUTES))
    parser.add_argument("minutes", nargs="?", type=float, default=default)
    parser.add_argument("--per-second", type=float, default=DEFAULT_PER_SECOND)
    parser.add_argument("--labels", type=float, default=0.0, help="share of the requests that get a label")
    given = parser.parse_args()
    for line in soak(given.minutes, given.per_second, given.labels):
        print(line, flush=True)


if __name__ == "__main__":
    main()
