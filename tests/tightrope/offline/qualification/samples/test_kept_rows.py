from pathlib import Path

import numpy as np

from tests.support.kept_traffic import FIRST_TIME, keep_traffic, kept_files
from tests.support.qualified_pair import sided_settings
from tightrope.monitors.records import Fault, Tensors
from tightrope.offline.qualification.samples import kept_rows
from tightrope.service.protocol.tensors import TensorSpec


def flat_inputs(rows: int) -> Tensors:
    """Rows of two numbers."""
    return {"input": np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)}


def test_refused_rows_are_counted_by_reason(tmp_path: Path) -> None:
    """A row twice, a fault, a cut, a byte that changed, an earlier version."""
    settings = sided_settings(tmp_path)
    fault = np.zeros(600, dtype=int)
    fault[3] = Fault.RUN_FAILED
    keep_traffic(settings, flat_inputs(600), fault=fault)
    keep_traffic(settings, flat_inputs(20))  # the same requests at the same times
    keep_traffic(settings, flat_inputs(10), row_bytes=4, time=FIRST_TIME + 9000)
    path = next(iter(kept_files(settings, ".inputs").values()))
    path.write_bytes(b"\xff" + path.read_bytes()[1:])
    (path.parent / "0000000999.rows").write_bytes(b"{}\n")
    specs = [TensorSpec("input", "FP32", (-1, 2))]
    refused = kept_rows.read_kept_rows(path.parent, specs, (), 0.0).refused
    assert refused == {
        kept_rows.TWICE: 18,  # the first is damaged, and the fourth failed: those were not judged before
        kept_rows.FAULTY: 1,
        kept_rows.CUT: 10,
        kept_rows.DAMAGED_INPUTS: 1,
        kept_rows.UNREADABLE_FILES: 1,
    }
