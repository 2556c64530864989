"""Load generator for gRPC, by h2load: a unary call is an HTTP/2 request whose body is a message after five bytes.

h2load sends one body repeatedly and does not see gRPC statuses. So the first call is made by a gRPC client, and calls
without an answer of that length count as failed: a failed call has no message.
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
from benchmarks.serving.models import ModelKind, Weights
from benchmarks.serving.process import Request, free_port
from benchmarks.serving.requests import as_json, batches
from benchmarks.serving.servers import Candidate, gateway_command
from tightrope.monitors.records import Floats
from tightrope.service.config.process.server import ServerSection

METHOD = "/inference.GRPCInferenceService/ModelInfer"
BODY_FILE, ADDRESS_FILE = "call", "grpc"
"""Files in a server's folder: the message, and the address of the gRPC server."""
LENGTH_TOLERANCE = 16
"""Bytes by which an answer may be shorter than the first one: ids and numbers vary in length."""
HEADERS = ("content-type: application/grpc", "te: trailers")


def unavailable_reason() -> str | None:
    """The reason why gRPC cannot be measured on this machine; None when it can."""
    if "grpc_port" not in ServerSection.model_fields or find_spec("grpc_health") is None:
        return "gRPC: the extra `grpc` is not installed"
    if shutil.which("h2load") is None:
        return "gRPC: h2load is missing: apt-get install nghttp2-client"
    return None


def grpc_candidate(size: int = 1) -> Candidate:
    """The gateway over gRPC, with ``size`` rows a call."""

    def command(kind: ModelKind, folder: Path, port: int) -> Sequence[str]:
        arguments, grpc_port = gateway_command(kind, folder, port), free_port()
        path = Path(arguments[-1])
        config = json.loads(path.read_text())
        config["server"]["grpc_port"] = grpc_port
        path.write_text(json.dumps(config))
        (folder / ADDRESS_FILE).write_text(f"127.0.0.1:{grpc_port}")
        (folder / BODY_FILE).write_bytes(message(kind, batches(kind, size)[0]))
        return arguments

    return Candidate("gateway (gRPC)", command, as_json, h2load)


def h2load(_: Sequence[Request], folder: Path) -> Load:
    """A load that sends the call stored in the folder, from one thread, with one call at a time on each connection."""
    (folder / "framed").write_bytes(framed((folder / BODY_FILE).read_bytes()))
    log = folder / "log-of-calls"
    answer_bytes = 0

    def load(_: str, connections: int, seconds: float) -> Slice:
        nonlocal answer_bytes
        address = (folder / ADDRESS_FILE).read_text()
        answer_bytes = answer_bytes or _answer_bytes(address, (folder / BODY_FILE).read_bytes()) - LENGTH_TOLERANCE
        log.unlink(missing_ok=True)
        options = ["-t1", f"-c{connections}", "-m1", f"-D{max(1, round(seconds))}", f"--log-file={log}"]
        options += [*(f"-H{header}" for header in HEADERS), f"-d{folder / 'framed'}"]
        output = subprocess.run(  # noqa: S603 - our own command
            [shutil.which("h2load") or "h2load", *options, f"http://{address}{METHOD}"], check=True, capture_output=True
        ).stdout.decode()
        return slice_of(output, np.loadtxt(log, ndmin=2), answer_bytes, max(1, round(seconds)))

    return load


def slice_of(output: str, calls: Floats, answer_bytes: int, seconds: float) -> Slice:
    """Results from h2load's output and its log ``calls`` (n, 3): start, status, and microseconds of each call."""
    received = re.search(r"\((\d+)\) data", output)
    answers = min(len(calls), (int(received[1]) if received else 0) // answer_bytes)
    p50, p99 = np.percentile(calls[:, 2], (50, 99)) / 1e3 if len(calls) else (float("nan"),) * 2
    return Slice(answers, seconds, len(calls) - answers, float(p50), float(p99))


def _answer_bytes(address: str, body: bytes) -> int:
    """The framed length of the answer to a call by a gRPC client.

    Raises:
        grpc.RpcError: the call failed.
    """
    import grpc  # noqa: PLC0415 - an extra that may be missing

    with grpc.insecure_channel(address) as channel:
        call: Callable[..., bytes] = channel.unary_unary(METHOD)
        return len(framed(call(body, timeout=30.0)))


def framed(body: bytes) -> bytes:
    """A message with gRPC's prefix: a byte for no compression, and four of its length."""
    return b"\0" + len(body).to_bytes(4) + body


def message(kind: ModelKind, batch: Weights) -> bytes:
    """A ModelInferRequest with raw contents, encoded by hand: five fields are not worth a compiler."""
    tensor = _field(1, b"input") + _field(2, b"FP32") + _field(3, b"".join(_varint(side) for side in batch.shape))
    return _field(1, kind.name.encode()) + _field(5, tensor) + _field(7, batch.tobytes())


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited field: text, bytes, a message, packed numbers."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    """A varint: seven bits a byte, lowest first."""
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _varint(value >> 7)  # noqa: PLR2004
