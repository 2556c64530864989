"""A gateway of its own process, the very `tightrope run` that anybody would start, asked over HTTP like by anybody."""

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import urllib3
from ruamel.yaml import YAML

from tightrope.demo.replay import HERE, MODEL
from tightrope.service.errors import ServerError

START_SECONDS = 30.0


class Gateway:
    """A running `tightrope run`, asked over HTTP like by anybody."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self._token = token
        self._http = urllib3.PoolManager(retries=False)

    def get(self, path: str) -> dict[str, Any]:
        """One answer of the status API."""
        answer: dict[str, Any] = self._http.request("GET", self.address + path).json()
        return answer

    def text(self, path: str) -> str:
        """One answer that is no JSON."""
        return self._http.request("GET", self.address + path).data.decode()

    def deploy(self, file: Path, reason: str) -> None:
        """Put another compressed model in place, as an operator would."""
        told = {"path": str(file), "reason": reason, "actor": "demo"}
        self._post("deploy", told, f"{file.name} could not be deployed")

    def order(self, what: str, scope: str = "model") -> None:
        """Force a scope, or release it."""
        self._post(what, {"scope": scope, "reason": "because the demo says so", "actor": "demo"}, "refused")

    def _post(self, what: str, told: dict[str, str], failure: str) -> None:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        url = f"{self.address}/v1/models/{MODEL}/{what}"
        answer = self._http.request("POST", url, body=json.dumps(told).encode(), headers=headers)
        if answer.status != HTTPStatus.OK:
            raise ServerError(f"{failure}: {answer.data[:300]!r}")


def written(folder: Path, model: str, sampling: float, **more: object) -> tuple[Path, str]:
    """The demo's configuration with this model on trial, on a free port, and the token that steers it."""
    yaml = YAML(typ="safe")
    config = yaml.load(HERE / "tightrope.yaml")
    pair = config["models"][MODEL]
    pair |= {"baseline": str(HERE / "models/baseline_fp32.onnx"), "compressed": str(HERE / f"models/{model}.onnx")}
    token = secrets.token_hex()
    (folder / "token").write_text(token)
    config |= {"server": {"port": 0, "control_token_file": "token"}, "state": "state", **more}
    pair["sampling"] = {"rate": sampling}
    path = folder / "tightrope.yaml"
    yaml.dump(config, path)
    return path, token


@contextmanager
def started(folder: Path, model: str, sampling: float) -> Iterator[Gateway]:
    """The gateway on a free port, with this model on trial; told to stop at the end."""
    path, token = written(folder, model, sampling)
    command = [sys.executable, "-P", "-m", "tightrope", "run", str(path), "--json"]
    with running(command) as process:
        yield Gateway(address_of(process), token)


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process of ours, told to stop at the end."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(START_SECONDS)


def address_of(process: subprocess.Popen[str], what: str = "the gateway") -> str:
    """Where it listens, once it does."""
    assert process.stdout is not None  # noqa: S101 - Popen was given a pipe
    line = process.stdout.readline()
    if not line:
        raise ServerError(f"{what} did not start (exit code {process.wait(START_SECONDS)}); its error stands above")
    return str(json.loads(line)["address"])
