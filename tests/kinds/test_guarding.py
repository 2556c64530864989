"""Each kind of decision on its smallest public pair: a faithful student passes, and a harmful one is found."""

import shutil
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.kinds.conftest import Built
from tests.support.kinds.caller_rows import make_rows
from tests.support.kinds.guarded_pair import GuardedPair
from tests.support.kinds.onnx_graphs import Change, noisy, rounded_to_fp16, with_weights
from tests.support.kinds.public_pairs import PAIRS
from tightrope.monitors.verdict import Outcome

ROWS = 3000
SMALLEST: Mapping[str, str] = {
    "classes": "probabilities-as-logits",
    "labels": "sklearn-only-label",
    "binary": "binary-sigmoid",
    "multilabel": "multilabel",
    "regression": "lightgbm-regressor",
    "embedding": "embedding",
    "positions": "token-classifier",
}
"""For each kind, its smallest pair."""

KINDS = pytest.mark.parametrize("kind", SMALLEST)


def guarded(built: Built, kind: str, folder: Path, change: Change) -> GuardedPair:
    """The pair of a kind, without subgroups, with a student made of the baseline's weights."""
    name, place = SMALLEST[kind], folder / "pair"
    place.mkdir()
    baseline = shutil.copyfile(built(name) / "baseline.onnx", place / "baseline.onnx")
    with_weights(baseline, place / "compressed.onnx", change)
    return GuardedPair(folder, {**PAIRS[name].section(place), "subgroups": {}})


def requests(built: Built, kind: str, count: int) -> list[dict[str, np.ndarray]]:
    """Requests of one row each."""
    name, random = SMALLEST[kind], np.random.default_rng(3)
    return [make_rows(PAIRS[name], built(name), 1, random) for _ in range(count)]


@KINDS
def test_faithful_student_passes(built: Built, tmp_path: Path, kind: str) -> None:
    """Its weights are rounded to FP16: 3,000 rows are compared, and nothing is said."""
    with closing(guarded(built, kind, tmp_path, rounded_to_fp16)) as pair:
        assert (pair.pair.kind.name if pair.pair.kind else "classes") == kind
        rows = requests(built, kind, ROWS)
        pair.send(rows)
        assert pair.compared == ROWS
        assert (pair.events, pair.dead()) == ([], 0)
        assert pair.verdict.errors == 0
        assert pair.verdict.outcome is Outcome.PASS
        assert pair.ask(rows[0]) == "compressed"


@KINDS
def test_harmful_student_is_found(built: Built, tmp_path: Path, kind: str) -> None:
    """Noise as large as its weights: the disagreement is a breach, and the baseline answers."""
    with closing(guarded(built, kind, tmp_path, noisy(1.0))) as pair:
        rows = requests(built, kind, ROWS // 5)
        pair.send(rows)
        assert pair.verdict.outcome is Outcome.BREACH
        assert (pair.verdict.errors, pair.dead()) == (0, 0)
        first = pair.events[0]
        assert (first.kind, first.scope) == ("breach", "model")
        assert "disagreement" in {case["monitor"] for case in dict(first.detail)["monitors"]}
        assert pair.ask(rows[0]) == "baseline"
