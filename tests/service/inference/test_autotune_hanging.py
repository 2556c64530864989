"""Models that hang, or whose rows of zeros say nothing about other rows, are kept off the event loop."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.onnx_models import looping, squaring
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters.ports import RunDeadlineError
from tightrope.service.inference.autotune import SHORT_SECONDS, measure_profile
from tightrope.service.protocol.tensors import TensorSpec


def test_width_is_measured_with_the_rows(tmp_path: Path) -> None:
    """A request of wider rows than those of zeros is another size."""
    path = str(squaring(tmp_path / "s.onnx"))
    profile = measure_profile(pair_of(tmp_path, baseline=path, compressed=path, **CALM))
    assert profile.is_short(1, 1)
    assert not profile.is_short(1, 20_000)


def test_model_whose_work_follows_values_never_runs_on_the_event_loop(tmp_path: Path) -> None:
    """Zeros say nothing about other rows of the same shape."""
    path = str(looping(tmp_path / "l.onnx"))
    profile = measure_profile(pair_of(tmp_path, baseline=path, compressed=path, **CALM))
    assert profile.expected_seconds(1) < SHORT_SECONDS
    assert not profile.is_short(1)
    assert not profile.is_brief(1)


class Late:
    """A model that does not answer in time."""

    digest = "0" * 64
    inputs = (TensorSpec("input", "FP32", (-1, 2)),)
    outputs = (TensorSpec("probabilities", "FP32", (-1, 2)),)

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Be late."""
        del inputs, outputs
        raise RunDeadlineError("no answer within 1 s")


def test_model_that_passes_the_deadline_on_zeros_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may only be slow: the key to raise is named."""
    pair = replace(pair_of(tmp_path, **sure_and_unsure(tmp_path)), models=dict.fromkeys(Role, Late()))
    profile = measure_profile(pair)
    assert not profile.is_brief(1)
    assert "models.m: rows of zeros get no answer within 1 s: raise run_seconds if it is only slow" in caplog.text
