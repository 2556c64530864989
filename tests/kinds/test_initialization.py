"""`tightrope init` on every public pair that is to pass: the written configuration is accepted, and builds the pair."""

from pathlib import Path

import pytest

from tests.kinds.conftest import Built
from tests.support.kinds.public_pairs import PAIRS
from tightrope.monitors.records import Role
from tightrope.offline.initialization.initialize import PairFiles, initialize
from tightrope.offline.initialization.proposal import NoProposalError
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load


def files_of(folder: Path, out: Path) -> PairFiles:
    """Both models of a pair, and the file to write."""
    return PairFiles({role: folder / f"{role}.onnx" for role in Role}, out=out, name="m", ask=lambda _: 0)


LATER = {"ocr-rec": "text", "detector-nms": "detection", "llm-decoder": "generation"}
"""Pairs whose kind a later version has."""


@pytest.mark.parametrize("name", [name for name in PAIRS if name not in LATER])
def test_first_configuration_of_a_pair_is_accepted(built: Built, tmp_path: Path, name: str) -> None:
    """With the first answer to each question; `init` itself has checked it in a process of its own."""
    out = tmp_path / "tightrope.yaml"
    assert initialize(files_of(built(name), out)).path == out
    (pair,) = load_pairs(load(out)).values()
    assert pair.output in pair.output_names


@pytest.mark.parametrize(("name", "kind"), LATER.items())
def test_kind_of_a_later_version_is_named(built: Built, tmp_path: Path, name: str, kind: str) -> None:
    """And nothing is written."""
    out = tmp_path / "tightrope.yaml"
    with pytest.raises(NoProposalError, match=rf"\(kind: {kind}\); a later version has it$"):
        initialize(files_of(built(name), out))
    assert not out.exists()
