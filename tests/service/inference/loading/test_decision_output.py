"""The output that decides is the configured one, or the only one, and has rows of floats, or one number a request."""

import pytest

from tightrope.service.inference.loading.decision_output import find_decision_output
from tightrope.service.protocol.tensors import TensorSpec

P = TensorSpec("p", "FP32", (-1, 3))


@pytest.mark.parametrize(
    ("written", "outputs", "name", "fault"),
    [
        (None, [P], "p", ""),
        ("p", [P, TensorSpec("q", "FP32", (-1,))], "p", ""),
        (None, [P, TensorSpec("q", "FP32", (-1,))], "", "is None; it must name one of the outputs p, q"),
        ("p", [TensorSpec("p", "FP32", (-1, 1, 3))], "p", ""),
        (None, [TensorSpec("p", "FP32", ())], "p", ""),
        (
            "p",
            [TensorSpec("p", "INT64", (-1,))],
            "p",
            (
                "'p' is INT64[-1]; it must be FP16, FP32 or FP64 by rows (and classes); "
                "for others write decision.kind, such as labels or positions"
            ),
        ),
    ],
)
def test_output_is_found_or_refused(written: str | None, outputs: list[TensorSpec], name: str, fault: str) -> None:
    """With what it is."""
    mistakes: list[str] = []
    assert find_decision_output(written, outputs, lambda _, text: mistakes.append(text)) == name
    assert mistakes == ([fault] if fault else [])
