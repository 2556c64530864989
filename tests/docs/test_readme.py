import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from tests.support.configs import ROOT, TOKEN
from tests.support.onnx_models import classifier
from tests.support.servers import Server, serving
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(scope="module")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the demo's own configuration on a free port, with a state folder of its own."""
    folder = tmp_path_factory.mktemp("readme")
    config = YAML(typ="safe").load(ROOT / "demo" / "tightrope.yaml")
    shutil.copytree(ROOT / "demo" / "models", folder / "models")
    YAML(typ="safe").dump({**config, "server": {"port": 0}}, folder / "demo.yaml")
    with serving(folder / "demo.yaml") as server:
        yield server


def test_configuration_of_the_readme_is_accepted(tmp_path: Path) -> None:
    """The example configuration loads with two models that fit it."""
    (tmp_path / "tightrope.yaml").write_text(blocks("yaml")[0])
    for name in ("baseline", "int8"):
        classifier(tmp_path / f"{name}.onnx", np.eye(3, 2, dtype=np.float32))
    pair = load_pairs(load(tmp_path / "tightrope.yaml", {}))["credit"]
    assert pair.plan.scopes == (
        "model",
        "region=north",
        "region=south",
        "region=other",
        "age=young",
        "age=old",
        "age=other",
    )


def test_curl_commands_of_the_readme_answer(demo_server: Server) -> None:
    """Each command works when it is pasted into a shell; only port and token differ here."""
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


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_make_commands_of_the_page_exist(page: str) -> None:
    """Every `make` command that the page shows is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    commands = set(re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / page).read_text(), flags=re.MULTILINE))
    assert commands <= targets
