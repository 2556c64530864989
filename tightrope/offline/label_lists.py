"""Rows to label, from a gateway, and labels back to it from a file of a line a row."""

import csv
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from tightrope.service.adapters.open_inference.codec import HttpReply
from tightrope.service.adapters.open_inference.http_client import HttpClient
from tightrope.service.adapters.ports import UnreachableError
from tightrope.service.config.loader import ConfigError
from tightrope.service.config.suggestions import did_you_mean

MAX_SENT_LABELS = 10_000
"""Labels of one request, the most that a gateway takes."""

EXCHANGE_SECONDS = 30.0
"""Time limit for each question."""

COLUMNS = ("id", "row", "time", "probability", "label", "source")
"""The columns of a list, in order; a person fills in the last two. Others are ignored when labels are sent."""


class Exchange(Protocol):
    """Sends a request, and returns the answer with any status."""

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        """Send it.

        Raises:
            UnreachableError: when there is no answer.
        """


def choose_model(names: Collection[str], given: str | None) -> str:
    """The given model, or the only one.

    Raises:
        ConfigError: when there is no such model, or none is given of several.
    """
    if given is None and len(names) == 1:
        return next(iter(names))
    if given is None or given not in names:
        problem = "is missing" if given is None else f"is {given!r}"
        raise ConfigError(
            [f"--model: {problem}; it must be one of {', '.join(names)}{did_you_mean(names, given or '')}"]
        )
    return given


@dataclass(frozen=True, slots=True)
class LabelDesk:
    """The labels of one model at a gateway, whose address is ``url``."""

    url: str
    exchange: Exchange
    model: str

    @classmethod
    def open(cls, url: str, token: str | None, model: str | None, exchange: Exchange | None = None) -> "LabelDesk":
        """Connect to a gateway; without a name, its only model is meant.

        Raises:
            ConfigError: when it does not answer, or serves several models and none is named.
        """
        desk = cls(url, exchange or HttpClient(url, EXCHANGE_SECONDS, token), model or "")
        if model is not None:
            return desk
        try:
            models = desk._ask("GET", "/v1/models")["models"]
        except ConfigError as error:
            raise ConfigError([*error.problems, "--model: is missing, and only a gateway lists its models"]) from error
        return cls(url, desk.exchange, choose_model([str(each["name"]) for each in models], None))

    def rows(self, limit: int) -> list[dict[str, Any]]:
        """The rows that were drawn for a label and wait for it, oldest first."""
        rows: list[dict[str, Any]] = self._ask("GET", f"{self._path}?limit={limit}")["rows"]
        return rows

    def send(self, labels: Sequence[Mapping[str, object]]) -> int:
        """Send labels; returns the number that was taken.

        Raises:
            ConfigError: when the gateway refuses some; says how many were taken before.
        """
        taken = 0
        for begin in range(0, len(labels), MAX_SENT_LABELS):
            part = {"labels": [*labels[begin : begin + MAX_SENT_LABELS]]}
            try:
                taken += int(self._ask("POST", self._path, json.dumps(part).encode())["accepted"])
            except ConfigError as error:
                raise ConfigError([*error.problems, f"{taken:,} of {len(labels):,} labels were taken"]) from error
        return taken

    @property
    def _path(self) -> str:
        return f"/v1/models/{quote(self.model, safe='')}/labels"

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        try:
            reply = self.exchange.request(method, path, body, {"Content-Type": "application/json"})
        except UnreachableError as error:
            raise ConfigError([f"{self.url}: {error}"]) from error
        try:
            answer = json.loads(reply.body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ConfigError([f"{self.url}: answers {reply.status} without JSON: is it a gateway of Tightrope?"])
        if reply.status not in {200, 202}:
            raise ConfigError([f"{self.url}{path}: {answer.get('error', reply.status)}"])
        return answer


@dataclass(frozen=True, slots=True)
class LabelFile:
    """The labels of a file, as a gateway takes them, and the number of lines ``without`` one, which still wait.

    >>> LabelFile((), 3).without
    3
    """

    labels: tuple[dict[str, object], ...]
    without: int


def read_labels(path: Path) -> LabelFile:
    """Read a CSV file, or one with tabs, with the columns id and label, and row, probability and source if there are
    any: such as a list with its column label filled in.

    Raises:
        ConfigError: with a line for each bad line of the file; nothing is to be sent then.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"--send: {path}: {getattr(error, 'strerror', None) or error}"]) from error
    head = text.partition("\n")[0]
    reader = csv.DictReader(text.splitlines(), delimiter="\t" if "\t" in head else ",")
    missing = [name for name in ("id", "label") if name not in (reader.fieldnames or ())]
    if missing:
        raise ConfigError([f"--send: {path}: has no column {' and no column '.join(missing)}; found: {head[:80]!r}"])
    labels, problems, without = [], [], 0
    for line in reader:
        if not (line["label"] or "").strip():
            without += 1
            continue
        found = [*_mistakes(line)]
        problems += [f"{path}, line {reader.line_num}: {mistake}" for mistake in found]
        if not found:
            labels.append(_label(line))
    if problems:
        raise ConfigError(problems)
    return LabelFile(tuple(labels), without)


def _mistakes(line: Mapping[str, str | None]) -> Iterator[str]:
    """Yield what is wrong with a line, each with its column and its value."""
    if not (line["id"] or "").strip():
        yield "id: is empty; it must be the id of the request, as its answer gave it"
    for name in ("label", "row"):
        value = (line.get(name) or "0").strip()
        if not (value.isascii() and value.isdigit()):
            yield f"{name}: is {value[:40]!r}; it must be a whole number from 0"
    given = (line.get("probability") or "0").strip()
    try:
        fits = 0 <= float(given) <= 1
    except ValueError:
        fits = False
    if not fits:
        yield f"probability: is {given[:40]!r}; it must be a number from 0 to 1, as the list gave it"


def _label(line: Mapping[str, str | None]) -> dict[str, object]:
    return {
        "id": (line["id"] or "").strip(),
        "label": int(line["label"] or 0),
        "row": int(line.get("row") or 0),
        "probability": float(line.get("probability") or 0),
        "source": (line.get("source") or "").strip(),
    }
