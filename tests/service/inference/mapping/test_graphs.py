"""Graphs before and after a model are one model with it, or are refused with what does not fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.support.serving.graph_models import FLOAT, INT64, TOKENS, endless, graph, masking, pooling, tagger, value
from tests.support.serving.mapped_pairs import network
from tests.support.serving.service_harness import GatewayHarness, pair_of, settings_of
from tests.support.serving.transports import assert_close, everywhere, together
from tightrope.monitors.records import Role
from tightrope.service.adapters.model_files import find_files, joined_digest
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import RunDeadlineError
from tightrope.service.adapters.runs.detached import detach
from tightrope.service.adapters.runs.watched_runs import runs_of
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.loading.pair_loading import build_pair
from tightrope.service.inference.probing.probe_memory import ProbeMemory
from tightrope.service.protocol.tensors import Tensor, TensorSpec
from tightrope.wiring.candidates.trial import tried_pair
from tightrope.wiring.deployer import with_artefact


def classifier_of_tokens(folder: Path) -> dict[str, Any]:
    """A pair whose baseline pools within its graphs, and whose student needs graphs on both sides."""
    pool = pooling(folder / "pool.onnx")
    return {
        "baseline": tagger(folder / "b.onnx"),
        "baseline_tensors": {"prepare": masking(folder / "mask.onnx", kind=FLOAT), "read": pool},
        "compressed": tagger(folder / "c.onnx", 0.05),
        "compressed_tensors": {"prepare": masking(folder / "mask.onnx", kind=FLOAT), "read": pool},
        "probe": {"seconds": 60},
    }


def expected(folder: Path, ids: Tensor, name: str = "c.onnx") -> Tensor:
    """The answer of the same graphs, run one after the other."""
    mask = OnnxModel(folder / "mask.onnx").run({"ids": ids}, ["mask"])["mask"]
    hidden = OnnxModel(folder / name).run({"ids": ids, "mask": mask}, ["hidden"])["hidden"]
    return np.asarray(OnnxModel(folder / "pool.onnx").run({"hidden": hidden, "mask": mask}, ["p"])["p"])


def some_ids(rows: int, length: int = 6) -> Tensor:
    """Tokens of this many rows."""
    return np.random.default_rng(rows).integers(1, TOKENS, (rows, length))


def problems_of(folder: Path, **model: Any) -> list[str]:  # noqa: ANN401 - any key of a model
    """The mistakes of a pair."""
    with pytest.raises(ConfigError) as caught:
        pair_of(folder, **model)
    return [problem.removeprefix("models.m.").replace(f"{folder}/", "") for problem in caught.value.problems]


def test_callers_send_what_the_first_graph_takes_and_get_what_the_last_one_gives(tmp_path: Path) -> None:
    """Over every transport, alone and among sixteen callers; requests share runs."""
    bench = GatewayHarness(tmp_path, {"m": classifier_of_tokens(tmp_path)})
    pair = bench.pairs["m"]
    assert pair.inputs == (TensorSpec("ids", "INT64", (-1, -1)),)
    assert pair.outputs == (TensorSpec("p", "FP32", (-1, 3)),)
    assert pair.batchability.is_open
    for found in everywhere(bench, {"ids": some_ids(2)}):
        assert_close(found, {"p": expected(tmp_path, some_ids(2))})
    every = [some_ids(1 + n % 3) + 0 for n in range(16)]
    for answer, ids in zip(together(bench, [{"ids": ids} for ids in every]), every, strict=True):
        assert answer.parameters["served_by"] == "compressed"
        assert_close(answer.outputs, {"p": expected(tmp_path, ids)})


def test_digest_covers_every_graph(tmp_path: Path) -> None:
    """It is the one digest of all files that a model reads, and follows each of them."""
    files = classifier_of_tokens(tmp_path)
    pair = pair_of(tmp_path, **files)
    parts = {"-": "c.onnx", "prepare": "mask.onnx", "read": "pool.onnx"}
    digests = {key: find_files(tmp_path / name).digest for key, name in parts.items()}
    assert pair.plan.compressed_digest == joined_digest(digests)
    nodes_of_another = {
        "baseline_tensors": {**files["baseline_tensors"]},
        "compressed": tagger(tmp_path / "d.onnx", 0.1),
    }
    assert pair_of(tmp_path, **{**files, **nodes_of_another}).plan.compressed_digest != pair.plan.compressed_digest


def test_trial_and_server_load_the_same_files(tmp_path: Path) -> None:
    """Each graph has the digest that was tried, or is refused."""
    settings = settings_of(tmp_path, {"m": classifier_of_tokens(tmp_path)})
    pair = tried_pair("m", settings)
    keys = {"baseline", "compressed", *(f"{role}_tensors.{key}" for role in Role for key in ("prepare", "read"))}
    assert set(pair.digests) == keys
    assert pair.batchability.is_open


def test_probe_is_remembered_for_all_of_them(tmp_path: Path) -> None:
    """By the digest of all: the next start makes no runs on made-up rows, unless a graph has changed."""
    files, folder = classifier_of_tokens(tmp_path), tmp_path / "state"
    folder.mkdir()
    settings = settings_of(tmp_path, {"m": files})

    def steps() -> list[str]:
        found: list[str] = []
        build_pair("m", settings, found.append, None, ProbeMemory(folder))
        return [step for step in found if "made-up" in step]

    assert (len(steps()), len(steps())) == (2, 0)
    tagger(tmp_path / "c.onnx", 0.2)
    assert len(steps()) == 1


@pytest.mark.parametrize("key", ["prepare", "read"])
def test_deadline_of_a_run_holds_for_all_of_them(tmp_path: Path, key: str) -> None:
    """A graph that never ends is ended as a model is, also in the worker; the other model answers."""
    names = {"prepare": "x", "read": "p"}
    name, width = names[key], 4 if key == "prepare" else 3
    loop = endless(tmp_path / "loop.onnx", name, width=width)
    compressed = network(tmp_path / "c.onnx", **({} if key == "prepare" else {"p": "p_raw"}))
    files = {"baseline": network(tmp_path / "b.onnx", x="x_raw" if key == "prepare" else "x"), "compressed": compressed}
    pair = pair_of(tmp_path, **files, compressed_tensors={key: loop}, run_seconds=0.3)
    model = pair.models[Role.COMPRESSED]
    rows = {pair.inputs[0].name: np.zeros((1, 4), np.float32)}
    runs = runs_of(model)
    assert runs is not None
    assert runs.seconds == 0.3
    before = runs.breaker.take_expired()
    for each in (model, detach(model)):
        with pytest.raises(RunDeadlineError):
            each.run(rows, ["p"])
    assert (before, runs.breaker.take_expired()) == (before, 1)


def test_graph_after_one_model_only_fits_the_other(tmp_path: Path) -> None:
    """The baseline pools itself; the student's scores of tokens are pooled for it."""
    whole = {
        "baseline": tagger(tmp_path / "b.onnx"),
        "baseline_tensors": {"read": pooling(tmp_path / "pool.onnx")},
        "compressed": tagger(tmp_path / "c.onnx", 0.05),
        "compressed_tensors": {"read": pooling(tmp_path / "pool.onnx"), "constants": {"mask": 1}},
    }
    bench = GatewayHarness(tmp_path, {"m": whole})
    assert [spec.name for spec in bench.pairs["m"].inputs] == ["ids", "mask"]
    given = {"ids": some_ids(2), "mask": np.ones((2, 6), np.float32)}
    (answer,) = together(bench, [given])
    assert answer.parameters["served_by"] == "compressed"
    hidden = OnnxModel(tmp_path / "c.onnx").run(given, ["hidden"])["hidden"]
    pooled = OnnxModel(tmp_path / "pool.onnx").run({"hidden": hidden, "mask": given["mask"]}, ["p"])
    assert_close(answer.outputs, pooled)


def test_model_of_one_row_behind_a_graph_runs_row_by_row(tmp_path: Path) -> None:
    """The graph takes any number, the model one: together they take one."""
    files = classifier_of_tokens(tmp_path)
    tagger(tmp_path / "c.onnx", 0.05, rows=1)
    bench = GatewayHarness(tmp_path, {"m": files})
    (answer,) = together(bench, [{"ids": some_ids(3)}])
    assert answer.parameters["served_by"] == "compressed"
    rows = [expected(tmp_path, some_ids(3)[n : n + 1]) for n in range(3)]
    assert_close(answer.outputs, {"p": np.concatenate(rows)})


def test_types_between_graphs_are_cast(tmp_path: Path) -> None:
    """As between callers and models."""
    files = classifier_of_tokens(tmp_path)
    files["compressed_tensors"] = {**files["compressed_tensors"], "prepare": masking(tmp_path / "m8.onnx", kind=6)}
    files["compressed"] = tagger(tmp_path / "c8.onnx", mask_kind=INT64)
    files["compressed_tensors"]["read"] = graph(
        tmp_path / "first.onnx",
        [_node("ReduceMean", ["hidden"], ["mean"], axes=[1], keepdims=0), _node("Softmax", ["mean"], ["p"])],
        [value("hidden", FLOAT, "n", "T", 3)],
        [value("p", FLOAT, "n", 3)],
    )
    (answer,) = together(GatewayHarness(tmp_path, {"m": files}), [{"ids": some_ids(2)}])
    assert answer.parameters["served_by"] == "compressed"


def _node(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:  # noqa: ANN401 - onnx has no types

    return helper.make_node(kind, inputs, outputs, **attributes)


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        (
            {"prepare": "mosk.onnx"},
            "compressed_tensors.prepare: mosk.onnx: gives 'mosk', but the model takes 'ids', 'mask'",
        ),
        (
            {"prepare": "text.onnx"},
            "compressed_tensors.prepare: text.onnx: gives 'mask' as BYTES[-1, -1], but the model takes FP32[-1, -1]",
        ),
        (
            {"read": "wide.onnx"},
            "compressed_tensors.read: wide.onnx: gets 'hidden' as FP32[-1, -1, 3], but it takes FP32[-1, -1, 4]",
        ),
        ({"read": "stray.onnx"}, "compressed_tensors.read: stray.onnx: takes 'logits', but the model gives 'hidden'"),
        ({"prepare": "none.onnx"}, "compressed_tensors.prepare: none.onnx: cannot be read: No such file or directory"),
    ],
)
def test_graphs_that_do_not_fit_are_refused(tmp_path: Path, written: dict[str, str], fault: str) -> None:
    """With the key, the file, and both tensors."""
    masking(tmp_path / "mosk.onnx", kind=FLOAT, mask="mosk")
    text = [_node("Cast", ["ids"], ["mask"], to=8)]
    graph(tmp_path / "text.onnx", text, [value("ids", INT64, "n", "T")], [value("mask", 8, "n", "T")])
    same = [_node("Identity", ["hidden"], ["p"])]
    graph(tmp_path / "wide.onnx", same, [value("hidden", FLOAT, "n", "T", 4)], [value("p", FLOAT, "n", "T", 4)])
    pooling(tmp_path / "stray.onnx", source="logits")
    files = {"baseline": tagger(tmp_path / "b.onnx"), "compressed": tagger(tmp_path / "c.onnx", 0.05)}
    assert problems_of(tmp_path, **files, compressed_tensors=written)[0] == fault


def test_endpoints_have_no_graphs(tmp_path: Path) -> None:
    """Graphs are run by onnxruntime; so is what they are around. An endpoint that is deployed in the place of a
    file is refused likewise.
    """
    files = classifier_of_tokens(tmp_path)
    endpoint: dict[str, Any] = {"endpoint": "http://127.0.0.1:1", "model": "x", "required": False, "version": "1"}
    with pytest.raises(ConfigError, match=r"compressed_tensors\.prepare is for a file, but compressed is an endpoint"):
        settings_of(tmp_path, {"m": {**files, "compressed": endpoint}})
    settings = settings_of(tmp_path, {"m": {**files, "compressed": files["baseline"]}})
    remote = (
        settings_of(tmp_path, {"m": {"baseline": files["baseline"], "compressed": endpoint}}).models["m"].compressed
    )
    with pytest.raises(ConfigError, match=r"compressed_tensors\.prepare: is for a file, not for an endpoint"):
        build_pair("m", with_artefact(settings, "m", Role.COMPRESSED, remote))
