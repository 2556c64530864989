"""The servers by name: how each is started for a model."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.models import Kind, made
from benchmarks.serving.requests import Make, as_json

SAMPLING = 0.25
"""The share of requests that the shadow sees."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to serve a model: its command for a folder of its own and a port, and how it is asked."""

    name: str
    told: str
    command: Callable[[Kind, Path, int], Sequence[str]]
    ask: Make = as_json


def _reference(*options: str) -> Callable[[Kind, Path, int], Sequence[str]]:
    def command(kind: Kind, folder: Path, port: int) -> Sequence[str]:
        del folder
        model = str(made(kind)["compressed"])
        return [sys.executable, "-m", "benchmarks.serving.reference", model, str(port), *options]

    return command


def configured(kinds: Sequence[Kind], folder: Path, port: int, sampling: float = SAMPLING, **more: object) -> Path:
    """The gateway's configuration with everything on: sampling, subgroups cut from the input, refusals, limits."""
    subgroups = {
        "size": {"column": 0, "values": {"small": {"high": -0.5}, "middle": {"low": -0.4999, "high": 0.5}}},
        "side": {"column": 1, "values": {"left": {"high": 0.0}, "right": {"low": 0.0001}}},
    }
    models = {
        kind.name: {
            **{role: str(file) for role, file in made(kind).items()},
            "sampling": {"rate": sampling},
            "refusal": {"score": "max_probability", "threshold": 0.6, "action": "flag"},
            "subgroups": subgroups,
        }
        for kind in kinds
    }
    path = folder / "tightrope.yaml"  # JSON is YAML
    path.write_text(json.dumps({"models": models, "server": {"port": port}, "state": "state", **more}))
    return path


def _gateway(kind: Kind, folder: Path, port: int) -> Sequence[str]:
    return [sys.executable, "-m", "benchmarks.serving.gateway", str(configured([kind], folder, port))]


def _embedded(kind: Kind, folder: Path, port: int) -> Sequence[str]:
    return [sys.executable, "-m", "tightrope", "run", str(configured([kind], folder, port)), "--json"]


OURS = (
    Candidate("gateway", "the gateway alone, samples to a sink", _gateway),
    Candidate("embedded", "gateway, worker and judge in one process", _embedded),
)
REFERENCES = (
    Candidate("raw", "raw ASGI, every request by itself", _reference()),
    Candidate("raw_mb0", "raw ASGI, whatever arrived meanwhile is one batch", _reference("--batching")),
)
SERVERS: Mapping[str, Candidate] = {one.name: one for one in (*REFERENCES, *OURS)}
