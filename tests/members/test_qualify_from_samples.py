"""Serve over HTTP, keep the rows, send their labels, and qualify from the samples: a good and a harmful model."""

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.configs import TOKEN, write_config
from tests.support.csv_tables import pair_config
from tests.support.qualified_pair import CROSSED, SIDES
from tests.support.servers import Server, serving
from tests.support.serving.service_harness import eventually

AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
ROWS = 1400
ALIKE = [[0.99, 0], [0, 0]]


def row(number: int) -> list[float]:
    """A fifth of the rows are on the right; on a fifth of these `CROSSED` disagrees."""
    right = number % 5 == 0
    return [2.0 + number * 1e-4 if number % 25 == 0 else 9.0 if right else -1.0 - number * 1e-3, float(right)]


def config_file(folder: Path, weights: object) -> Path:
    """A floor keeps all requests of the right side, and half of the others are kept."""
    config = pair_config(
        folder,
        weights,  # type: ignore[arg-type]
        subgroups=SIDES,
        sampling={"rate": 0.5, "floors": {"side=right": 1.0}},
        labels={},
    )
    return write_config(folder, {**config, "server": {"port": 0}, "reports": {"keep_rows": 5000, "reference_rows": 50}})


def serve_rows(server: Server) -> None:
    """Send all rows, one a request, and their labels; return when everything is on disk."""
    for number in range(ROWS):
        tensor = {"name": "input", "shape": [1, 2], "datatype": "FP32", "data": row(number)}
        response = server.client.post("/v2/models/m/infer", json={"id": f"r-{number}", "inputs": [tensor]})
        assert response.status_code == 200, response.text
    labels = [{"id": f"r-{number}", "label": int(row(number)[0] < 0)} for number in range(ROWS)]
    assert server.client.post("/v1/models/m/labels", json={"labels": labels}, headers=AUTHORIZED).is_success

    def counted(*parts: str) -> int:
        lines = [
            line for line in server.client.get("/metrics").text.splitlines() if all(part in line for part in parts)
        ]
        return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")))

    kept = partial(counted, "tightrope_samples_total{")
    eventually(lambda: counted("tightrope_labels{", '"joined"') == kept() > ROWS * 0.5, 60.0)


def qualify(config: Path, *options: str) -> tuple[int, Mapping[str, Any]]:
    """The exit code and the document of `tightrope qualify --from-samples`."""
    command = [sys.executable, "-P", "-m", "tightrope", "qualify", str(config), "--from-samples", "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(("weights", "code"), [(ALIKE, 0), (CROSSED, 3)], ids=["good", "harmful"])
def test_traffic_qualifies_a_good_model_and_convicts_a_harmful_one(tmp_path: Path, weights: object, code: int) -> None:
    """Beside the running server; the statement says where its rows came from."""
    config = config_file(tmp_path, weights)
    with serving(config) as server:
        serve_rows(server)
    found, document = qualify(config, "--since", "1h")
    assert found == code, document["notes"]
    predicate = document["statement"]["predicate"]
    samples = predicate["data"]["samples"]
    assert samples["refused"] == {}
    assert 350 < samples["of_model"] < samples["kept"] < ROWS
    assert predicate["data"]["labels"] is (samples["labels"] >= 470)
    assert samples["labels"] == samples["kept"]
    cells = {(each["criterion"], each["scope"]): each for each in predicate["result"]["cells"]}
    assert cells["disagreement", "side=right"]["rows"] == ROWS / 5
    assert cells["disagreement", "model"]["rows"] == samples["of_model"]
    assert cells["disagreement", "side=right"]["outcome"] == ("pass" if code == 0 else "breach")
