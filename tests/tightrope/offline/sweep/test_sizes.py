from pathlib import Path

import numpy as np

from tests.support.onnx_models import classifier
from tightrope.offline.sweep.sizes import size_of


def test_zeros_save_bytes_only_when_deflated(tmp_path: Path) -> None:
    """As pruning does."""
    full = np.random.default_rng(1).normal(size=(300, 2)).astype(np.float32)
    pruned = np.where(np.arange(300)[:, None] < 200, 0, full).astype(np.float32)
    dense, sparse = (size_of(classifier(tmp_path / f"{i}.onnx", each)) for i, each in enumerate((full, pruned)))
    assert dense.file_bytes == sparse.file_bytes
    assert sparse.deflated_bytes < 0.5 * dense.deflated_bytes
