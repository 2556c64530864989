import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from tests.support.onnx_models import classifier
from tests.support.servers import ROOT, TOKEN, Server, serving
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(scope="module")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo's own configuration, served on a free port, with its state elsewhere."""
    folder = tmp_path_factory.mktemp("readme")
    config = YAML(typ="safe").load(ROOT / "demo" / "tightrope.yaml")
    shutil.copytree(ROOT / "demo" / "models", folder / "models")
    YAML(typ="safe").dump({**config, "server": {"port": 0}}, folder / "demo.yaml")
    with serving(folder / "demo.yaml") as server:
        yield server


def test_configuration_of_the_readme_is_accepted(tmp_path: Path) -> None:
    """What a reader copies first must work."""
    (tmp_path / "tightrope.yaml").write_text(blocks("yaml")[0])
    for name in ("baseline", "int8"):
        classifier(tmp_path / f"{name}.onnx", np.eye(3, 2, dtype=np.float32))
    pair = load_pairs(load(tmp_path / "tightrope.yaml", {}))["credit"]
    assert pair.plan.scopes == ("model", "region=north", "region=south", "age=young", "age=old")


def test_curl_commands_of_the_readme_answer(demo_server: Server) -> None:
    """Each is pasted into a shell as it stands, but for the port and the token."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    script = next(block for block in blocks("sh") if "curl" in block)
    commands = re.split(r"\n(?=curl)", script.strip())
    answers = []
    for command in commands:
        pasted = command.replace("http://127.0.0.1:8080", demo_server.address).replace(
            "Bearer secret", f"Bearer {TOKEN}"
        )
        done = subprocess.run(["bash", "-c", pasted], capture_output=True, text=True, check=True, timeout=30)  # noqa: S607 - the user's shell
        answers.append(json.loads(done.stdout))
    infer, status, forced = answers
    assert infer["parameters"]["served_by"] == "compressed"
    assert status["scopes"]["residence=group_quarters"] == "normal"
    assert forced["scopes"]["residence=group_quarters"] == "safe"
    assert forced["confirmed"] is True


def test_make_commands_of_the_readme_exist() -> None:
    """`make demo` and `make test` are targets."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", README, flags=re.MULTILINE)) <= targets
