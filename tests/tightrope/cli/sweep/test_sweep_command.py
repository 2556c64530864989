import json
from pathlib import Path

import pytest

from tests.support.commands import tightrope
from tests.support.qualified_pair import sided_settings
from tests.support.sweeps import DISAGREEMENT, distinct_rows, variant_folder


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration, its variants and rows."""
    sided_settings(tmp_path, qualification=DISAGREEMENT)
    variant_folder(tmp_path)
    return next(tmp_path.glob("*.yaml"))


def test_the_exit_code_is_that_of_the_best_variant(config: Path, tmp_path: Path) -> None:
    """0 with a qualified one; 3 where all are harmful; 1 for a mistake in one line, 2 for an unknown goal."""
    folder, rows = tmp_path / "variants", distinct_rows(tmp_path)
    done = tightrope("sweep", config, rows, folder, "--json", "--criteria", "disagreement")
    assert done.returncode == 0, done.stderr
    assert [each["verdict"] for each in json.loads(done.stdout)["variants"]] == ["qualified", "breach"]
    (folder / "good.onnx").unlink()
    harmful = tightrope("sweep", config, rows, folder)
    assert harmful.returncode == 3, harmful.stderr
    assert "1 variant: 1 harmful" in harmful.stdout
    refused = tightrope("sweep", config, rows, tmp_path / "none")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
    assert tightrope("sweep", config, rows, folder, "--for", "beauty").returncode == 2
