"""The processor time of a run is its own thread's, times the threads that it has."""

from pathlib import Path

import pytest

from tests.support.onnx_models import classifier
from tests.support.serving.model_pairs import weights
from tightrope.service.adapters.cpu import usable_cores
from tightrope.service.adapters.onnxruntime import OnnxModel, RuntimeOptions
from tightrope.service.adapters.runs.cpu_threads import CpuSum, cpu_factor


@pytest.mark.parametrize(
    ("options", "factor"),
    [
        (RuntimeOptions(), 1),
        (RuntimeOptions(threads=3), 3),
        (RuntimeOptions(node_threads=2), 1),
        (RuntimeOptions(node_threads=2, parallel=True), 2),
        (RuntimeOptions(threads=0), usable_cores()),
    ],
)
def test_threads_of_a_session_count(tmp_path: Path, options: RuntimeOptions, factor: int) -> None:
    """Threads of nodes run only where nodes run in parallel; 0 is all cores."""
    assert cpu_factor(OnnxModel(classifier(tmp_path / "c.onnx", weights((1, 2))), options)) == factor


def test_model_on_another_server_takes_no_time_here() -> None:
    """A wait for the network is no run."""
    assert cpu_factor(object()) == 0


def test_sum_is_taken_once() -> None:
    """The next one begins at zero."""
    seconds = CpuSum()
    seconds.add(1.5)
    seconds.add(0.25)
    assert (seconds.take(), seconds.take()) == (1.75, 0.0)
