"""Replay of the demo's traffic over HTTP, as by applications: one row per request."""

import csv
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import orjson
import urllib3

from tightrope.service.errors import TightropeError

DEMO_FOLDER = Path(__file__).parent
TRAFFIC_FILES = ("traffic_stable.csv", "traffic_drift.csv")
DEMO_MODEL = "employment"
DEMO_TAG_PREFIX = "tag_"
DEMO_LABEL_COLUMN = "label"
REPLAY_CONNECTIONS = 4
RETRY_ONCE = urllib3.Retry(connect=0, read=1, redirect=False, allowed_methods=None)
"""One retry, as a gateway may close an idle connection while a request is sent; the id makes the request count once."""


class ReplayError(TightropeError):
    """The gateway answered with an error."""


@dataclass(frozen=True, slots=True)
class TrafficRow:
    """A request: its id, the 16 codes, the label that only the demo knows, and its subgroups (attribute=value)."""

    id: str
    codes: tuple[float, ...]
    label: int
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplayAnswer:
    """The answer to a request: the predicted class, the serving role, and the time in seconds since the epoch."""

    row: TrafficRow
    predicted: int
    served_by: str
    time: float = 0.0

    @property
    def correct(self) -> bool:
        """Whether the predicted class is the label."""
        return self.predicted == self.row.label


def traffic(files: tuple[str, ...] = TRAFFIC_FILES, first: int = 0) -> list[TrafficRow]:
    """Read the rows of the traffic files, in order; ids count from ``first``."""
    rows: list[TrafficRow] = []
    for name in files:
        with (DEMO_FOLDER / "data" / name).open(newline="") as file:
            rows += [_row(record, first + len(rows) + number) for number, record in enumerate(csv.DictReader(file))]
    return rows


def request_id(number: int) -> str:
    """The id of the demo's request with this number, from 0."""
    return f"demo-{number:05d}"


def _row(record: dict[str, str], number: int) -> TrafficRow:
    tags = tuple(
        f"{name.removeprefix(DEMO_TAG_PREFIX)}={value}"
        for name, value in record.items()
        if name.startswith(DEMO_TAG_PREFIX)
    )
    codes = tuple(
        float(v) for name, v in record.items() if name != DEMO_LABEL_COLUMN and not name.startswith(DEMO_TAG_PREFIX)
    )
    return TrafficRow(request_id(number), codes, int(record[DEMO_LABEL_COLUMN]), tags)


def replay(
    address: str, rows: list[TrafficRow], per_second: float | None = None, model: str = DEMO_MODEL
) -> Iterator[ReplayAnswer]:
    """Send the rows over a few connections, at most ``per_second`` per second, and yield the answers in order.

    Raises:
        urllib3.exceptions.HTTPError: when the gateway cannot be reached.
        ReplayError: when it answers with an error.
    """
    url = f"{address}/v2/models/{model}/infer"
    began = time.monotonic()

    def send(number: int, row: TrafficRow) -> ReplayAnswer:
        if per_second is not None:
            time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        answer = http.request("POST", url, body=orjson.dumps(_request(row)))
        if answer.status != HTTPStatus.OK:
            raise ReplayError(f"{row.id}: {answer.status} {answer.data[:200]!r}")
        return _read(row, orjson.loads(answer.data))

    with (
        urllib3.PoolManager(maxsize=REPLAY_CONNECTIONS, retries=RETRY_ONCE) as http,
        ThreadPoolExecutor(REPLAY_CONNECTIONS) as pool,
    ):
        yield from pool.map(send, range(len(rows)), rows)


def _request(row: TrafficRow) -> dict[str, object]:
    tensor = {"name": "input", "shape": [1, len(row.codes)], "datatype": "FP32", "data": row.codes}
    return {"id": row.id, "inputs": [tensor]}


def _read(row: TrafficRow, answer: dict[str, object]) -> ReplayAnswer:
    outputs, parameters = answer["outputs"], answer["parameters"]
    probabilities = outputs[0]["data"]  # type: ignore[index]
    predicted = max(range(len(probabilities)), key=probabilities.__getitem__)
    return ReplayAnswer(row, predicted, parameters["served_by"], time.time())  # type: ignore[index]
