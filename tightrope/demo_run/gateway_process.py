"""A gateway in a process of its own, started by `tightrope run` and used over HTTP, as in production."""

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import urllib3
from ruamel.yaml import YAML

from tightrope.demo.replay import DEMO_FOLDER, DEMO_MODEL, request_id
from tightrope.service.adapters.audit.seals import AuditKeys
from tightrope.service.config.loader import load
from tightrope.service.errors import ServerError
from tightrope.wiring.audit_keys import audit_keys

STATE_NAME = "state"
"""Name of the state folder."""

MOST_REQUESTS = 100_000
"""Requests that a demo sends at most."""

EXIT_SECONDS = 30.0
"""Time for a process to exit after SIGTERM."""


class HttpGateway:
    """HTTP client of a running gateway; ``keys`` are those of its audit trail, known once it runs."""

    def __init__(self, address: str, token: str, keys: AuditKeys | None = None) -> None:
        self.address = address
        self._keys = keys or AuditKeys()
        self._numbers: dict[str, int] = {}
        self._token = token
        self._http = urllib3.PoolManager(retries=False)

    def get(self, path: str) -> dict[str, Any]:
        """Return a JSON page."""
        page: dict[str, Any] = self._http.request("GET", self.address + path).json()
        return page

    def text(self, path: str) -> str:
        """Return a page as text."""
        return self._http.request("GET", self.address + path).data.decode()

    def request_number(self, digest: str) -> int:
        """The number of the demo's request, from 1, whose id has this digest in the audit trail; 0 if none has."""
        if digest not in self._numbers:
            all_numbers = range(1, MOST_REQUESTS + 1)
            found = (number for number in all_numbers if self._keys.request_digest(request_id(number - 1)) == digest)
            self._numbers[digest] = next(found, 0)
        return self._numbers[digest]

    def deploy(self, file: Path, reason: str) -> None:
        """Deploy another compressed model.

        Raises:
            ServerError: when the gateway refuses it, with the gateway's reason.
        """
        body = {"path": str(file), "reason": reason, "actor": "demo"}
        self._post("deploy", body, f"{file.name} could not be deployed")

    def order(self, verb: str, scope: str = "model") -> None:
        """Force a scope to a mode or release it: ``verb`` is the last part of the path.

        Raises:
            ServerError: when the gateway refuses it.
        """
        self._post(verb, {"scope": scope, "reason": "because the demo says so", "actor": "demo"}, "refused")

    def _post(self, verb: str, body: dict[str, str], failure: str) -> None:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        url = f"{self.address}/v1/models/{DEMO_MODEL}/{verb}"
        response = self._http.request("POST", url, body=json.dumps(body).encode(), headers=headers)
        if response.status != HTTPStatus.OK:
            raise ServerError(f"{failure}: {response.data[:300]!r}")


def demo_config(model: str) -> dict[str, Any]:
    """Return the demo's configuration for this compressed model, with absolute paths."""
    config: dict[str, Any] = YAML(typ="safe").load(DEMO_FOLDER / "tightrope.yaml")
    models = DEMO_FOLDER / "models"
    files = {"baseline": str(models / "baseline_fp32.onnx"), "compressed": str(models / f"{model}.onnx")}
    config["models"][DEMO_MODEL] |= files
    return config


def write_demo_config(folder: Path, model: str, sampling: float, **more: object) -> tuple[Path, str]:
    """Write the demo's configuration for this compressed model, on a free port, without a gate and with errors
    alone in the log; return its path and control token.
    """
    config = demo_config(model)
    pair = config["models"][DEMO_MODEL]
    del pair["qualification"]
    token = secrets.token_hex()
    (folder / "token").write_text(token)
    config |= {
        "server": {"port": 0, "control_token_file": "token"},
        "state": STATE_NAME,
        "logs": {"level": "error"},
        **more,
    }
    pair["sampling"] = {"rate": sampling}
    return write_yaml(folder, config), token


def write_yaml(folder: Path, config: Mapping[str, object]) -> Path:
    """Write a configuration into a folder, with its keys in their order; return its path."""
    path = folder / "tightrope.yaml"
    YAML().dump(config, path)
    return path


@contextmanager
def start_gateway(folder: Path, model: str, sampling: float) -> Iterator[HttpGateway]:
    """Run a gateway with this compressed model on a free port until the block ends.

    Raises:
        ServerError: when it does not start.
    """
    path, token = write_demo_config(folder, model, sampling)
    with running_process(process_command("run", path)) as process:
        yield HttpGateway(read_address(process), token, audit_keys(load(path)))


def process_command(verb: str, path: Path) -> list[str]:
    """Return the command line that runs a configuration: ``verb`` is run, serve, worker or judge."""
    return [sys.executable, "-P", "-m", "tightrope", verb, str(path), "--json"]


@contextmanager
def running_process(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Run a process of ours until the block ends, then stop it by SIGTERM."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(EXIT_SECONDS)


def read_address(process: subprocess.Popen[str]) -> str:
    """Wait until a process listens and return its HTTP address.

    Raises:
        ServerError: when it exits instead.
    """
    assert process.stdout is not None  # noqa: S101 - Popen was given a pipe
    line = process.stdout.readline()
    if not line:
        raise ServerError(f"the gateway did not start (exit code {process.wait(EXIT_SECONDS)}); its error stands above")
    return str(json.loads(line)["address"])
