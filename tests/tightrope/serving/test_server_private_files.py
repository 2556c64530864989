"""The files of a server hold callers' inputs: only its own user may read them."""

import stat
from pathlib import Path

from tests.support.configs import write_config
from tests.support.harmful_pair import config, request, traffic
from tests.support.servers import serving
from tests.support.serving.service_harness import eventually


def test_state_belongs_to_the_servers_user_alone(tmp_path: Path) -> None:
    """The database with its journals, compared rows, secrets and locks: 0600; their folders: 0700."""
    whole = config(tmp_path) | {"reports": {"keep_rows": 10_000}}
    with serving(write_config(tmp_path, whole)) as running:
        running.client.post("/v2/models/m/infer", json=request(traffic(300, harm=False))).raise_for_status()
        eventually(lambda: list((tmp_path / "state" / "rows").rglob("*.*")))
        found = {
            path.relative_to(tmp_path): stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").rglob("*")
        }
        folders = {path: mode for path, mode in found.items() if (tmp_path / path).is_dir()}
    assert len(found) - len(folders) >= len(("database", "lock", "secret", "rows"))
    assert {path: oct(mode) for path, mode in found.items() if mode & 0o077} == {}
