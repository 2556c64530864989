"""`tightrope labels`: what a person with a list of rows to label sees."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.configs import TOKEN, write_config
from tests.support.harmful_pair import request
from tests.support.onnx_models import classifier
from tests.support.servers import serving
from tests.support.serving.service_harness import eventually

Run = Callable[..., int]


def config(folder: Path) -> dict[str, Any]:
    """A pair of two classes that never agrees, with labels."""
    weights = np.array([[6, 0], [0, 6]], np.float32)
    pair = {
        "baseline": str(classifier(folder / "baseline.onnx", weights)),
        "compressed": str(classifier(folder / "compressed.onnx", weights[::-1].copy())),
    }
    return {"models": {"m": pair | {"labels": {}, "mode": "advisory", "repeats": "none"}}, "state": "state"}


def test_list_is_filled_in_and_sent_back(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe it has tabs and an empty column; filled in, it goes back with --send, and no row waits any more."""
    (tmp_path / "token").write_text(TOKEN)
    with serving(write_config(tmp_path, config(tmp_path))) as server:
        for number in range(3):
            sent = request(np.array([1, 0], np.float32), f"r-{number}")
            assert server.client.post("/v2/models/m/infer", json=sent).status_code == 200
        gateway = ("labels", "--url", str(server.client.base_url), "--token-file", tmp_path / "token")
        capsys.readouterr()

        def listed() -> list[list[str]]:
            assert run(*gateway) == 0
            lines = capsys.readouterr().out.splitlines()
            assert lines[0].split("\t") == ["id", "row", "time", "probability", "label", "source"]
            return [line.split("\t") for line in lines[1:]]

        rows = eventually(lambda: rows if len(rows := listed()) == 3 else [])
        assert [(row[0], row[1], row[3]) for row in rows] == [(f"r-{n}", "0", "1.0") for n in range(3)]
        filled = ["id\trow\ttime\tprobability\tlabel\tsource"]
        filled += ["\t".join([*row[:4], "" if row[0] == "r-2" else "1", "desk"]) for row in rows]
        (tmp_path / "labels.tsv").write_text("\n".join(filled))
        assert run(*gateway, "--send", tmp_path / "labels.tsv") == 0
        assert "2 labels of m taken; 1 line has no label yet" in capsys.readouterr().out
        eventually(lambda: [row[0] for row in listed()] == ["r-2"])
        assert run("labels", "--url", str(server.client.base_url)) == 1
        assert "token" in capsys.readouterr().err


def test_configuration_or_address_and_not_both(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake of usage."""
    assert run("labels") == 2
    assert run("labels", tmp_path / "x.yaml", "--url", "http://127.0.0.1:1") == 2
    assert "give either CONFIG or --url" in capsys.readouterr().err


def test_bad_file_is_told_before_a_gateway_is_asked(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for each bad line."""
    (tmp_path / "labels.csv").write_text("id,label\nr-1,yes\nr-2,no\n")
    assert run("labels", "--url", "http://127.0.0.1:1", "--send", tmp_path / "labels.csv") == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(lines) == 2
    assert lines[0].startswith("error")
    assert lines[0].endswith("labels.csv, line 2: label: is 'yes'; it must be a whole number from 0")


def test_gateway_that_does_not_answer_is_told(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line."""
    assert run("labels", "--url", "http://127.0.0.1:1") == 1
    assert "http://127.0.0.1:1: " in capsys.readouterr().err
