from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from tests.support.csv_tables import (
    SIGMOID_WEIGHTS,
    batch_centred,
    pair_config,
    pair_settings,
    read_settings,
    write_table,
)
from tests.support.onnx_models import classifier, fragile, identity
from tests.support.serving.row_models import quantized
from tightrope.monitors.records import Role
from tightrope.offline.pair_evaluation import MAX_SHADOW_RUN_ROWS, prepare
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.row_files.row_file import RowFileError


def answered(probability: float) -> float:
    """Return the feature for which the model gives class 0 this probability."""
    return float(np.log(probability / (1 - probability)))


def one_model(folder: Path, path: Path) -> Settings:
    """Return a pair of a model with itself."""
    return read_settings(folder, {"models": {"m": {"baseline": str(path), "compressed": str(path)}}})


def test_answers_are_in_file_order(tmp_path: Path) -> None:
    """In batches and one by one, across more than one batch."""
    chance = np.random.default_rng(0).uniform(0.1, 0.9, MAX_SHADOW_RUN_ROWS + 7)
    data = write_table(tmp_path / "data.csv", np.stack([[answered(p), 0] for p in chance]))
    trial = prepare(pair_settings(tmp_path), None, data)
    for batched in (False, True):
        assert trial.answers(Role.BASELINE, batched=batched).values[:, 0] == pytest.approx(chance, abs=1e-6)


def test_rows_run_alone_and_in_batches(tmp_path: Path) -> None:
    """A model that depends on its batch shows the difference."""
    data = write_table(tmp_path / "data.csv", [[1, 0], [3, 0]] * 2)
    trial = prepare(one_model(tmp_path, batch_centred(tmp_path / "moody.onnx")), None, data)
    assert trial.answers(Role.BASELINE, batched=False).values.argmax(axis=1).tolist() == [0, 0] * 2
    assert trial.answers(Role.BASELINE, batched=True).values.argmax(axis=1).tolist() == [1, 0] * 2
    compared = trial.compare()
    assert compared.noise.disagree.tolist() == [True, False] * 2
    assert [way.disagree.tolist() for way in compared.ways] == [[True, False] * 2] * 2


def test_rows_run_alone_where_the_shadow_runs_them_alone(tmp_path: Path) -> None:
    """The probe shows that the rows of this model mix, so neither gateway nor worker batches them."""
    data = write_table(tmp_path / "data.csv", [[0.1, 0.02], [40.0, -9.0]])
    trial = prepare(one_model(tmp_path, quantized(tmp_path / "quantized.onnx")), None, data)
    alone, shadow = (trial.answers(Role.BASELINE, batched=batched).values for batched in (False, True))
    assert alone.tolist() == shadow.tolist()


def test_both_directions_are_compared(tmp_path: Path) -> None:
    """A compressed model that depends on its batch agrees while it serves row by row, and not as the shadow."""
    config = pair_config(tmp_path)
    config["models"]["m"]["compressed"] = str(batch_centred(tmp_path / "moody.onnx"))  # type: ignore[index]
    data = write_table(tmp_path / "data.csv", [[1, 0], [3, 0]] * 2)
    compared = prepare(read_settings(tmp_path, config), None, data).compare()
    assert not compared.noise.disagree.any()
    assert [way.disagree.tolist() for way in compared.ways] == [[False] * 4, [True, False] * 2]


def test_noise_uses_the_baselines_threshold(tmp_path: Path) -> None:
    """The compressed model's threshold does not affect the baseline's noise."""
    refusal = {"threshold": 0.6, "compressed_threshold": 0.9}
    data = write_table(tmp_path / "data.csv", [[answered(p), 0] for p in (0.55, 0.7, 0.95)])
    compared = prepare(pair_settings(tmp_path, refusal=refusal), None, data).compare()
    assert compared.noise.refused_compressed.tolist() == [True, False, False]
    assert compared.ways[0].refused_baseline.tolist() == [True, False, False]
    assert compared.ways[0].refused_compressed.tolist() == [True, True, False]


def test_rows_belong_to_the_model_and_to_their_subgroups(tmp_path: Path) -> None:
    """Subgroups cut from a column have rows; a file cannot name those that callers send as a parameter."""
    subgroups = {
        "side": {"column": 1, "values": {"left": [0], "right": {"low": 1}}},
        "region": {"parameter": "region", "values": ["north"]},
    }
    data = write_table(tmp_path / "data.csv", [[0, 0], [0, 5]])
    trial = prepare(pair_settings(tmp_path, subgroups=subgroups), None, data)
    shown = [scope in {"model", "side=left", "side=right"} for scope in trial.pair.plan.scopes]
    member = trial.compare().member
    assert member[:, shown].tolist() == [[True, True, False], [True, False, True]]
    assert not member[:, ~np.array(shown)].any(), "neither of a region, nor of its undeclared values"


def test_failing_line_is_named(tmp_path: Path) -> None:
    """Also in a batch, where onnxruntime does not say which row failed."""
    data = write_table(tmp_path / "data.csv", [[0], [1], [7], [1]])
    trial = prepare(one_model(tmp_path, fragile(tmp_path / "fragile.onnx")), None, data)
    for batched in (False, True):
        with pytest.raises(
            RowFileError, match=r"data\.csv: line 4: the compressed model could not answer: .*[Gg]ather"
        ):
            trial.answers(Role.COMPRESSED, batched=batched)


@pytest.mark.parametrize(
    ("scale", "row", "said"),
    [
        ("probabilities", [3.0, 0.0], "holds no probabilities; see decision.scale"),
        ("logits", [3e38, 0.0], "is not finite"),
    ],
)
def test_line_with_an_invalid_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: str, row: list[float], said: str
) -> None:
    """Scores instead of probabilities, where made-up rows did not show it, or an overflow."""
    monkeypatch.setattr("tightrope.service.inference.probing.model_probe.learn_scale", lambda _: None)
    path = classifier(tmp_path / "scores.onnx", 3 * SIGMOID_WEIGHTS, scores=True)
    model = {"baseline": str(path), "compressed": str(path), "decision": {"scale": scale}}
    data = write_table(tmp_path / "data.csv", [[1 / 3, 0], row])
    trial = prepare(read_settings(tmp_path, {"models": {"m": model}}), None, data)
    with pytest.raises(RowFileError, match=rf"data\.csv: line 3: the baseline model's answer {said}"):
        trial.answers(Role.BASELINE)


def test_only_model_need_not_be_named(tmp_path: Path) -> None:
    """Among several models one must be named, and it must exist."""
    data = write_table(tmp_path / "data.csv", [[0, 0]])
    config = pair_config(tmp_path)
    assert prepare(read_settings(tmp_path, config), None, data).pair.name == "m"
    config["models"]["n"] = config["models"]["m"]  # type: ignore[index]
    several = read_settings(tmp_path, config)
    assert prepare(several, "n", data).pair.name == "n"
    for name, said in ((None, "--model: must be given: m, n"), ("o", "--model: is 'o'; it must be one of these: m, n")):
        with pytest.raises(ConfigError) as error:
            prepare(several, name, data)
        assert error.value.problems == [said]


@pytest.mark.parametrize(
    ("kind", "values"), [(TensorProto.STRING, "north,south"), (TensorProto.BOOL, "true,0"), (TensorProto.INT64, "1,2")]
)
def test_every_datatype_comes_from_a_table(tmp_path: Path, kind: int, values: str) -> None:
    """Strings and booleans beside numbers; the models run on them."""
    (tmp_path / "data.csv").write_text(f"a,b\n{values}\n")
    path = identity(tmp_path / "identity.onnx", kind)
    model = {"baseline": str(path), "compressed": str(path), "decision": {"output": "probabilities"}}
    trial = prepare(read_settings(tmp_path, {"models": {"m": model}}), None, tmp_path / "data.csv")
    assert trial.answers(Role.BASELINE).values.tolist() == [[0.25, 0.75]]
