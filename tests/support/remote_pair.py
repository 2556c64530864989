"""A pair one of whose roles is on another server, here a fake one that answers as a file does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.csv_tables import read_settings
from tests.support.qualified_pair import sided_rows, sided_settings
from tests.support.serving.fake_oip_server import METADATA, FakeServer, fake_server, serve_model
from tightrope.monitors.records import Role
from tightrope.service.adapters.onnxruntime import OnnxModel, RuntimeOptions
from tightrope.service.config.loader import Settings


@dataclass(frozen=True, slots=True)
class RemotePair:
    """The pair, rows for it, and the server of its remote role."""

    settings: Settings
    rows: Path
    server: FakeServer


@contextmanager
def remote_pair(
    folder: Path, role: Role, *, compressed: object = ((1, 0), (0, 0)), rows: int = 200, **endpoint: object
) -> Iterator[RemotePair]:
    """A pair with this role on a server; ``endpoint`` changes its section."""
    files = sided_settings(folder, compressed).models["m"]
    with fake_server() as server:
        serve_model(server, OnnxModel(getattr(files, role), RuntimeOptions()))
        models: dict[str, object] = {str(each): str(getattr(files, each)) for each in Role}
        models[str(role)] = {"endpoint": server.address, "model": "m", "timeout_seconds": 5.0, **endpoint}
        subgroups = {"side": {"column": 1, "values": {"left": [0], "right": [1]}}}
        qualification = {"file": "m.intoto.jsonl", "criteria": {"disagreement": {"model": 0.1}}}
        section = {**models, "subgroups": subgroups, "qualification": qualification}
        settings = read_settings(folder, {"models": {"m": section}, "state": str(folder / "state")})
        yield RemotePair(settings, sided_rows(folder, rows), server)


def without_versions(server: FakeServer) -> None:
    """Let the server tell no version of its model."""
    status, document = server.pages["GET /v2/models/m"]  # type: ignore[misc]
    assert status == 200
    server.pages["GET /v2/models/m"] = status, {**METADATA, **document, "versions": []}  # type: ignore[dict-item]
