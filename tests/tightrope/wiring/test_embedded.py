from pathlib import Path

import onnx

from tests.support.configs import write_config
from tests.support.harmful_pair import MAJORITY, MINORITY, OTHER, config, traffic
from tests.support.in_process import run_in_process, served_by
from tightrope.monitors.records import Role
from tightrope.wiring.embedded import as_watched


def test_only_the_harmed_subgroup_is_saved(tmp_path: Path) -> None:
    """The baseline answers the minority; the majority and the model as a whole stay in normal mode."""
    with run_in_process(write_config(tmp_path, config(tmp_path))) as running:
        for seed in range(8):
            running.send(traffic(96, harm=True, seed=seed))
        assert running.states() == {"model": "normal", MINORITY: "safe", MAJORITY: "normal", OTHER: "normal"}
        assert running.events()[0] == (MINORITY, "breach")
        assert {scope for scope, _ in running.events()} == {MINORITY}
        rows = traffic(96, harm=True, seed=99)
        answers = running.send(rows)
        assert served_by(answers, rows) == {0.0: {"compressed"}, 1.0: {"baseline"}}
        predicted = [int(answer.outputs["probabilities"][0].argmax()) for answer in answers]
        assert predicted == (rows[:, 1] > rows[:, 0]).astype(int).tolist(), "every answer is the baseline's"


def test_subgroup_returns_when_its_shadow_has_recovered(tmp_path: Path) -> None:
    """As the shadow the compressed model proves that it is sound again, and the scope returns to running."""
    with run_in_process(write_config(tmp_path, config(tmp_path))) as running:
        for seed in range(8):
            running.send(traffic(96, harm=True, seed=seed))
        assert running.states()[MINORITY] == "safe"
        for seed in range(20):
            running.send(traffic(96, harm=False, seed=seed))
        assert running.states() == {"model": "normal", MINORITY: "normal", MAJORITY: "normal", OTHER: "normal"}
        assert running.events() == [(MINORITY, what) for what in ("breach", "dwell-elapsed", "recovered")]
        rows = traffic(96, harm=False, seed=99)
        assert served_by(running.send(rows), rows) == {0.0: {"compressed"}, 1.0: {"compressed"}}


def test_harmless_pair_never_trips(tmp_path: Path) -> None:
    """Two thousand rows without harm: no event, and the compressed model answers all."""
    with run_in_process(write_config(tmp_path, config(tmp_path))) as running:
        rows = traffic(2000, harm=False)
        assert served_by(running.send(rows), rows) == {0.0: {"compressed"}, 1.0: {"compressed"}}
        assert running.events() == []
        assert set(running.states().values()) == {"normal"}
        assert as_watched(running.parts.service.engine.pair("m")).free


def test_evidence_restarts_with_another_configuration(tmp_path: Path) -> None:
    """With another limit counts restart, and a scope in safe mode stays there."""
    path = write_config(tmp_path, config(tmp_path))
    with run_in_process(path) as running:
        for seed in range(8):
            running.send(traffic(96, harm=True, seed=seed))
    changed = write_config(tmp_path, config(tmp_path, subgroup_limits={"disagreement": 0.3}))
    with run_in_process(changed) as running:
        assert running.states()[MINORITY] == "safe"
        assert {v.count for v in running.parts.view.verdicts("m") if v.monitor != "sight"} == {0}


def test_models_of_one_row_are_not_batched(tmp_path: Path) -> None:
    """The shadow runs a model with a fixed first dimension row by row."""
    made = config(tmp_path)
    for role in Role:
        model = onnx.load(made["models"]["m"][role])
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = 1
        onnx.save(model, made["models"]["m"][role])
    with run_in_process(write_config(tmp_path, made)) as running:
        running.send(traffic(20, harm=True))
        gateway = running.parts.service.engine
        assert gateway.metrics.total("comparisons", model="m", scope="model") == 20
        assert gateway.metrics.total("comparison_errors", model="m", scope="model") == 0
        assert not as_watched(gateway.pair("m")).free
