"""Replays the demo's traffic over HTTP, as applications would call the gateway: one row a request."""

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

HERE = Path(__file__).parent
TRAFFIC = ("traffic_stable.csv", "traffic_drift.csv")
MODEL = "employment"
TAG = "tag_"
LABEL = "label"
CONNECTIONS = 4
AGAIN = urllib3.Retry(connect=0, read=1, redirect=False, allowed_methods=None)
"""A gateway may close a connection that was idle in the very moment of a request; its id makes it count once."""


class ReplayError(TightropeError):
    """The gateway did not answer as it should."""


@dataclass(frozen=True, slots=True)
class Row:
    """One request to be: its id, the 16 codes, the truth that only the demo knows, its subgroups (attribute=value)."""

    id: str
    codes: tuple[float, ...]
    label: int
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller got: the predicted class, who said so, and when, in seconds since the epoch."""

    row: Row
    predicted: int
    served_by: str
    at: float = 0.0

    @property
    def correct(self) -> bool:
        """Whether the caller was told the truth."""
        return self.predicted == self.row.label


def traffic(files: tuple[str, ...] = TRAFFIC, first: int = 0) -> list[Row]:
    """The rows of the traffic files, in order, numbered from ``first``."""
    rows: list[Row] = []
    for name in files:
        with (HERE / "data" / name).open(newline="") as file:
            rows += [_row(record, first + len(rows) + number) for number, record in enumerate(csv.DictReader(file))]
    return rows


def _row(record: dict[str, str], number: int) -> Row:
    tags = tuple(f"{name.removeprefix(TAG)}={value}" for name, value in record.items() if name.startswith(TAG))
    codes = tuple(float(v) for name, v in record.items() if name != LABEL and not name.startswith(TAG))
    return Row(f"demo-{number:05d}", codes, int(record[LABEL]), tags)


def replay(address: str, rows: list[Row], per_second: float | None = None, model: str = MODEL) -> Iterator[Answer]:
    """Send the rows over a few connections, at most ``per_second`` of them, and yield what came back, in their order.

    Raises:
        urllib3.exceptions.HTTPError: when the gateway cannot be reached.
        ReplayError: when it answers with an error.
    """
    url = f"{address}/v2/models/{model}/infer"
    began = time.monotonic()

    def send(number: int, row: Row) -> Answer:
        if per_second is not None:
            time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        answer = http.request("POST", url, body=orjson.dumps(_request(row)))
        if answer.status != HTTPStatus.OK:
            raise ReplayError(f"{row.id}: {answer.status} {answer.data[:200]!r}")
        return _read(row, orjson.loads(answer.data))

    with urllib3.PoolManager(maxsize=CONNECTIONS, retries=AGAIN) as http, ThreadPoolExecutor(CONNECTIONS) as pool:
        yield from pool.map(send, range(len(rows)), rows)


def _request(row: Row) -> dict[str, object]:
    tensor = {"name": "input", "shape": [1, len(row.codes)], "datatype": "FP32", "data": row.codes}
    return {"id": row.id, "inputs": [tensor]}


def _read(row: Row, answer: dict[str, object]) -> Answer:
    outputs, parameters = answer["outputs"], answer["parameters"]
    probabilities = outputs[0]["data"]  # type: ignore[index]
    predicted = max(range(len(probabilities)), key=probabilities.__getitem__)
    return Answer(row, predicted, parameters["served_by"], time.time())  # type: ignore[index]
