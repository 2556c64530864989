"""The servers by name: how each is started for a model, and how it is asked."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.serving.load import Loader, wrk
from benchmarks.serving.models import Kind, made
from benchmarks.serving.requests import Make, as_binary, as_json, at, numbered, plain

ROOT = Path(__file__).parents[2]
SAMPLING = 0.25
"""The share of requests that the shadow sees."""
NOWHERE = "127.0.0.1:9"
"""Where no broker is: a gateway of a cluster wants to be told of one, the sink in its place asks nobody."""
TOKEN = "the benchmark steers itself"  # noqa: S105 - of servers that live for seconds

Command = Callable[[Kind, Path, int], Sequence[str]]
"""What starts a server of a model, given a folder of its own and a port."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to serve a model."""

    name: str
    command: Command
    ask: Make = as_json
    loader: Loader = wrk


def reference(*options: str) -> Command:
    """A server by hand."""

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
    (folder / "token").write_text(TOKEN)
    server = {"port": port, "control_token_file": "token"}
    path = folder / "tightrope.yaml"  # JSON is YAML
    path.write_text(json.dumps({"models": models, "server": server, "state": "state", **more}))
    return path


def alone(kind: Kind, folder: Path, port: int, sampling: float = SAMPLING) -> Sequence[str]:
    """The gateway's process, its samples to a sink."""
    return on_sink([kind], folder, port, sampling)


def on_sink(kinds: Sequence[Kind], folder: Path, port: int, sampling: float = SAMPLING) -> Sequence[str]:
    """The same of several models."""
    path = configured(kinds, folder, port, sampling, bus={"kafka": {"servers": [NOWHERE]}})
    return [sys.executable, "-m", "benchmarks.serving.gateway", str(path)]


def embedded(kind: Kind, folder: Path, port: int, sampling: float = SAMPLING) -> Sequence[str]:
    """Gateway, worker and judge in one process."""
    return [sys.executable, "-P", "-m", "tightrope", "run", str(configured([kind], folder, port, sampling)), "--json"]


def on_kafka(address: str) -> Candidate:
    """The gateway's process, its samples to this broker; nobody reads them."""

    def command(kind: Kind, folder: Path, port: int) -> Sequence[str]:
        kafka = {"servers": [address], "prefix": f"{kind.name.lower()}-{port}-", "partitions": 4}
        path = str(configured([kind], folder, port, bus={"kafka": kafka}))
        tightrope = [sys.executable, "-P", "-m", "tightrope"]
        return ["sh", "-c", 'p=$1; shift; "$@" topics "$p" && exec "$@" serve "$p" --json', "sh", path, *tightrope]

    return Candidate("gateway (Kafka)", command)


def python_of(peer: str) -> Path:
    """The interpreter of a peer's own environment."""
    return ROOT / ".venv-serving" / peer / "bin" / "python"


def _peer(name: str, ask: Make, batch: int) -> Candidate:
    def command(kind: Kind, folder: Path, port: int) -> Sequence[str]:
        del folder
        module = f"benchmarks.serving.peers.{name}"
        return [str(python_of(name)), "-m", module, str(made(kind)["compressed"]), str(port), str(batch), kind.name]

    return Candidate(f"{name} (batching)" if batch > 1 else name, command, ask)


RAW, BATCHING = Candidate("raw", reference()), Candidate("raw_mb0", reference("--batching"))
GATEWAY, EMBEDDED = Candidate("gateway", alone), Candidate("embedded", embedded)
OURS_BINARY = Candidate("gateway (binary)", alone, as_binary)
BATCHING_NUMBERED, GATEWAY_NUMBERED = (
    Candidate(f"{one.name} (numbered)", one.command, numbered) for one in (BATCHING, GATEWAY)
)
NEVER, ALWAYS = (Candidate(f"gateway ({share:.0%} sampled)", partial(alone, sampling=share)) for share in (0.0, 1.0))
EMBEDDED_NEVER, EMBEDDED_ALWAYS = (
    Candidate(f"embedded ({share:.0%} sampled)", partial(embedded, sampling=share)) for share in (0.0, 1.0)
)
PEERS: Mapping[str, Sequence[Candidate]] = {
    "mlserver": [_peer("mlserver", as_json, batch) for batch in (1, 32)],
    "kserve": [_peer("kserve", as_json, 1)],
    "mosec": [_peer("mosec", at("/inference", plain), batch) for batch in (1, 32)],
    "litserve": [_peer("litserve", at("/predict", plain), batch) for batch in (1, 32)],
    "bentoml": [_peer("bentoml", at("/predict", plain), batch) for batch in (1, 32)],
}
_BESIDE = (BATCHING_NUMBERED, GATEWAY_NUMBERED, OURS_BINARY, NEVER, ALWAYS, EMBEDDED_NEVER, EMBEDDED_ALWAYS)
_HERE = (RAW, BATCHING, GATEWAY, EMBEDDED, *_BESIDE)
SERVERS: Mapping[str, Candidate] = {one.name: one for one in (*_HERE, *(one for two in PEERS.values() for one in two))}
