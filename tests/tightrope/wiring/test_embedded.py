from pathlib import Path

import onnx

from tests.support.harmful_pair import MAJORITY, MINORITY, config, traffic
from tests.support.in_process import running, served_by
from tests.support.servers import write_config
from tightrope.monitors.records import Role
from tightrope.wiring import embedded as module


def test_harmed_subgroup_is_saved_and_only_it(tmp_path: Path) -> None:
    """The minority is answered by the baseline; the majority and the model as a whole stay as they are."""
    with running(write_config(tmp_path, config(tmp_path))) as it:
        for seed in range(8):
            it.ask(traffic(96, harm=True, seed=seed))
        assert it.states() == {"model": "normal", MINORITY: "safe", MAJORITY: "normal"}
        assert it.events()[0] == (MINORITY, "breach")
        assert {scope for scope, _ in it.events()} == {MINORITY}
        rows = traffic(96, harm=True, seed=99)
        answers = it.ask(rows)
        assert served_by(answers, rows) == {0.0: {"compressed"}, 1.0: {"baseline"}}
        said = [int(answer.outputs["probabilities"][0].argmax()) for answer in answers]
        assert said == (rows[:, 1] > rows[:, 0]).astype(int).tolist(), "everybody is told what the baseline would say"


def test_subgroup_returns_when_its_shadow_has_recovered(tmp_path: Path) -> None:
    """In reverse shadow the compressed model proves that it is sound again, and gets its requests back."""
    with running(write_config(tmp_path, config(tmp_path))) as it:
        for seed in range(8):
            it.ask(traffic(96, harm=True, seed=seed))
        assert it.states()[MINORITY] == "safe"
        for seed in range(20):
            it.ask(traffic(96, harm=False, seed=seed))
        assert it.states() == {"model": "normal", MINORITY: "normal", MAJORITY: "normal"}
        assert it.events() == [(MINORITY, what) for what in ("breach", "dwell-elapsed", "recovered")]
        rows = traffic(96, harm=False, seed=99)
        assert served_by(it.ask(rows), rows) == {0.0: {"compressed"}, 1.0: {"compressed"}}


def test_clean_pair_never_trips(tmp_path: Path) -> None:
    """Two thousand rows without harm: no event, nobody answered by the baseline."""
    with running(write_config(tmp_path, config(tmp_path))) as it:
        rows = traffic(2000, harm=False)
        assert served_by(it.ask(rows), rows) == {0.0: {"compressed"}, 1.0: {"compressed"}}
        assert it.events() == []
        assert set(it.states().values()) == {"normal"}
        assert module.as_watched(it.parts.service.gateway.pair("m")).free


def test_evidence_of_another_configuration_starts_anew(tmp_path: Path) -> None:
    """Another limit is another question: counts begin again, and a scope in safe mode stays there."""
    path = write_config(tmp_path, config(tmp_path))
    with running(path) as it:
        for seed in range(8):
            it.ask(traffic(96, harm=True, seed=seed))
    changed = write_config(tmp_path, config(tmp_path, subgroup_limits={"disagreement": 0.3}))
    with running(changed) as it:
        assert it.states()[MINORITY] == "safe"
        assert {v.count for v in it.parts.bench.verdicts("m") if v.monitor != "sight"} == {0}


def test_models_of_one_row_are_not_batched(tmp_path: Path) -> None:
    """A fixed first dimension is seen, and the shadow runs such a model row by row."""
    made = config(tmp_path)
    for role in Role:
        model = onnx.load(made["models"]["m"][role])
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = 1
        onnx.save(model, made["models"]["m"][role])
    with running(write_config(tmp_path, made)) as it:
        it.ask(traffic(20, harm=True))
        gateway = it.parts.service.gateway
        assert gateway.metrics.total("comparisons", model="m", scope="model") == 20
        assert gateway.metrics.total("comparison_errors", model="m", scope="model") == 0
        assert not module.as_watched(gateway.pair("m")).free
