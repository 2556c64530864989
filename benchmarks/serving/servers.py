"""The servers by name: the command that starts each, and the requests that it takes."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.serving.load import Loader, wrk
from benchmarks.serving.models import ModelKind, model_files
from benchmarks.serving.requests import RequestMaker, as_binary, as_json, numbered_json, plain_json, with_path

ROOT = Path(__file__).parents[2]
SAMPLING = 0.25
"""Share of requests that are sampled for the shadow."""
NO_BROKER = "127.0.0.1:9"
"""An address without a broker: the configuration requires one, but the sink never connects."""
TOKEN = "the benchmark steers itself"  # noqa: S105 - of servers that run for seconds

Command = Callable[[ModelKind, Path, int], Sequence[str]]
"""Builds the command that starts a server of a model, given a folder for its files and a port."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to serve a model, with its requests and its load generator."""

    name: str
    command: Command
    make_requests: RequestMaker = as_json
    loader: Loader = wrk


def reference_command(*options: str) -> Command:
    """The command of a minimal server."""

    def command(kind: ModelKind, folder: Path, port: int) -> Sequence[str]:
        del folder
        model = str(model_files(kind)["compressed"])
        return [sys.executable, "-m", "benchmarks.serving.reference", model, str(port), *options]

    return command


UNJUDGED = {"blind_seconds": 0}
"""The sink has no judge: without this the baseline would answer once rows were kept for a minute."""


def write_config(
    kinds: Sequence[ModelKind], folder: Path, port: int, sampling: float = SAMPLING, **more: object
) -> Path:
    """Write the gateway's configuration with all features on: sampling, subgroups of the input, refusals, limits."""
    subgroups = {
        "size": {"column": 0, "values": {"small": {"high": -0.5}, "middle": {"low": -0.4999, "high": 0.5}}},
        "side": {"column": 1, "values": {"left": {"high": 0.0}, "right": {"low": 0.0001}}},
    }
    models = {
        kind.name: {
            **{role: str(file) for role, file in model_files(kind).items()},
            "sampling": {"rate": sampling},
            "refusal": {"score": "max_probability", "threshold": 0.6, "action": "flag"},
            "subgroups": subgroups,
        }
        for kind in kinds
    }
    (folder / "token").write_text(TOKEN)
    server = {"port": port, "control_token_file": "token"}
    path = folder / "tightrope.yaml"  # JSON is YAML
    path.write_text(json.dumps({"models": models, "server": server, "state": "state", "safe_mode": UNJUDGED, **more}))
    return path


def gateway_command(kind: ModelKind, folder: Path, port: int, sampling: float = SAMPLING) -> Sequence[str]:
    """A gateway process that sends its samples to a sink."""
    return gateway_of_models([kind], folder, port, sampling)


def gateway_of_models(kinds: Sequence[ModelKind], folder: Path, port: int, sampling: float = SAMPLING) -> Sequence[str]:
    """A gateway process with several models that sends its samples to a sink."""
    path = write_config(kinds, folder, port, sampling, bus={"kafka": {"servers": [NO_BROKER]}})
    return [sys.executable, "-m", "benchmarks.serving.gateway", str(path)]


def embedded_command(kind: ModelKind, folder: Path, port: int, sampling: float = SAMPLING) -> Sequence[str]:
    """Gateway, shadow worker and judge in one process."""
    return [sys.executable, "-P", "-m", "tightrope", "run", str(write_config([kind], folder, port, sampling)), "--json"]


def kafka_candidate(address: str) -> Candidate:
    """A gateway process that sends its samples to this broker; no consumer reads them."""

    def command(kind: ModelKind, folder: Path, port: int) -> Sequence[str]:
        kafka = {"servers": [address], "prefix": f"{kind.name.lower()}-{port}-", "partitions": 4}
        path = str(write_config([kind], folder, port, bus={"kafka": kafka}))
        tightrope = [sys.executable, "-P", "-m", "tightrope"]
        return ["sh", "-c", 'p=$1; shift; "$@" topics "$p" && exec "$@" serve "$p" --json', "sh", path, *tightrope]

    return Candidate("gateway (Kafka)", command)


def peer_python(peer: str) -> Path:
    """The interpreter of a peer's environment."""
    return ROOT / ".venv-serving" / peer / "bin" / "python"


def _peer(name: str, make_requests: RequestMaker, batch: int) -> Candidate:
    def command(kind: ModelKind, folder: Path, port: int) -> Sequence[str]:
        del folder
        module = f"benchmarks.serving.peers.{name}"
        return [
            str(peer_python(name)),
            "-m",
            module,
            str(model_files(kind)["compressed"]),
            str(port),
            str(batch),
            kind.name,
        ]

    return Candidate(f"{name} (batching)" if batch > 1 else name, command, make_requests)


RAW, BATCHING = Candidate("raw", reference_command()), Candidate("raw_mb0", reference_command("--batching"))
GATEWAY, EMBEDDED = Candidate("gateway", gateway_command), Candidate("embedded", embedded_command)
OURS_BINARY = Candidate("gateway (binary)", gateway_command, as_binary)
BATCHING_NUMBERED, GATEWAY_NUMBERED = (
    Candidate(f"{one.name} (numbered)", one.command, numbered_json) for one in (BATCHING, GATEWAY)
)
NEVER, ALWAYS = (
    Candidate(f"gateway ({share:.0%} sampled)", partial(gateway_command, sampling=share)) for share in (0.0, 1.0)
)
EMBEDDED_NEVER, EMBEDDED_ALWAYS = (
    Candidate(f"embedded ({share:.0%} sampled)", partial(embedded_command, sampling=share)) for share in (0.0, 1.0)
)
PEERS: Mapping[str, Sequence[Candidate]] = {
    "mlserver": [_peer("mlserver", as_json, batch) for batch in (1, 32)],
    "kserve": [_peer("kserve", as_json, 1)],
    "mosec": [_peer("mosec", with_path("/inference", plain_json), batch) for batch in (1, 32)],
    "litserve": [_peer("litserve", with_path("/predict", plain_json), batch) for batch in (1, 32)],
    "bentoml": [_peer("bentoml", with_path("/predict", plain_json), batch) for batch in (1, 32)],
}
_VARIANTS = (BATCHING_NUMBERED, GATEWAY_NUMBERED, OURS_BINARY, NEVER, ALWAYS, EMBEDDED_NEVER, EMBEDDED_ALWAYS)
_PEERS = (candidate for candidates in PEERS.values() for candidate in candidates)
SERVERS: Mapping[str, Candidate] = {
    candidate.name: candidate for candidate in (RAW, BATCHING, GATEWAY, EMBEDDED, *_VARIANTS, *_PEERS)
}
