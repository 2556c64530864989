"""gRPC under load, by h2load: a unary call is one HTTP/2 request, whose body is a message with five bytes before it.

h2load sends one body again and again and sees no status of gRPC. So the first call is made by a client that does, and a
call whose answer has fewer bytes than that one's counts as failed: a failed call has none.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.serving.load import Load, Slice
from benchmarks.serving.models import Kind, Weights
from benchmarks.serving.process import Request, free_port
from benchmarks.serving.requests import as_json, batches
from benchmarks.serving.servers import Candidate, alone
from tightrope.monitors.records import Floats
from tightrope.service.config.loader import Server

METHOD = "/inference.GRPCInferenceService/ModelInfer"
BODY, PLACE = "call", "grpc"
"""Files in a server's folder: the message, and the address that takes it."""
SPARE = 16
"""Bytes by which an answer may be shorter than the first one: ids and numbers have not always as many digits."""
HEADERS = ("content-type: application/grpc", "te: trailers")


def why_not() -> str | None:
    """Why gRPC cannot be measured here, if that is so."""
    if "grpc_port" not in Server.model_fields or find_spec("grpc_health") is None:
        return "gRPC: the gateway has none here, or its extra is not installed"
    if shutil.which("h2load") is None:
        return "gRPC: h2load is missing: apt-get install nghttp2-client"
    return None


def over_grpc(size: int = 1) -> Candidate:
    """The gateway, asked over gRPC, ``size`` rows at a time."""

    def command(kind: Kind, folder: Path, port: int) -> Sequence[str]:
        started, number = alone(kind, folder, port), free_port()
        path = Path(started[-1])
        config = json.loads(path.read_text())
        config["server"]["grpc_port"] = number
        path.write_text(json.dumps(config))
        (folder / PLACE).write_text(f"127.0.0.1:{number}")
        (folder / BODY).write_bytes(message(kind, batches(kind, size)[0]))
        return started

    return Candidate("gateway (gRPC)", command, as_json, h2load)


def h2load(_: Sequence[Request], folder: Path) -> Load:
    """The call in the folder, by one thread; each connection has one call on it."""
    (folder / "framed").write_bytes(framed((folder / BODY).read_bytes()))
    log = folder / "log-of-calls"
    wanted = 0

    def load(_: str, connections: int, seconds: float) -> Slice:
        nonlocal wanted
        place = (folder / PLACE).read_text()
        wanted = wanted or _asked(place, (folder / BODY).read_bytes()) - SPARE
        log.unlink(missing_ok=True)
        options = ["-t1", f"-c{connections}", "-m1", f"-D{max(1, round(seconds))}", f"--log-file={log}"]
        options += [*(f"-H{header}" for header in HEADERS), f"-d{folder / 'framed'}"]
        told = subprocess.run(  # noqa: S603 - our own command
            [shutil.which("h2load") or "h2load", *options, f"http://{place}{METHOD}"], check=True, capture_output=True
        ).stdout.decode()
        return slice_of(told, np.loadtxt(log, ndmin=2), wanted, max(1, round(seconds)))

    return load


def slice_of(told: str, calls: Floats, wanted: int, seconds: float) -> Slice:
    """What h2load told, and what its log says of every call: start, status, microseconds."""
    found = re.search(r"\((\d+)\) data", told)
    answers = min(len(calls), (int(found[1]) if found else 0) // wanted)
    p50, p99 = np.percentile(calls[:, 2], (50, 99)) / 1e3 if len(calls) else (float("nan"),) * 2
    return Slice(answers, seconds, len(calls) - answers, float(p50), float(p99))


def _asked(place: str, body: bytes) -> int:
    """The bytes of the answer of a call that a client of gRPC made, its five before it included.

    Raises:
        grpc.RpcError: when it failed.
    """
    import grpc  # noqa: PLC0415 - only where the gateway has it too

    with grpc.insecure_channel(place) as channel:
        call: Callable[..., bytes] = channel.unary_unary(METHOD)
        return len(framed(call(body, timeout=30.0)))


def framed(body: bytes) -> bytes:
    """A message as gRPC sends it: not compressed, and its length."""
    return b"\0" + len(body).to_bytes(4) + body


def message(kind: Kind, batch: Weights) -> bytes:
    """A ModelInferRequest with raw contents, by hand: five fields are not worth a compiler."""
    tensor = _field(1, b"input") + _field(2, b"FP32") + _field(3, b"".join(_varint(side) for side in batch.shape))
    return _field(1, kind.name.encode()) + _field(5, tensor) + _field(7, batch.tobytes())


def _field(number: int, value: bytes) -> bytes:
    """One that has a length: text, bytes, a message, packed numbers."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _varint(value >> 7)  # noqa: PLR2004
