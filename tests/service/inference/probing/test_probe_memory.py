"""A model that was probed at an earlier start is not run on made-up rows again, unless something else matters."""

from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tests.support.onnx_models import classifier
from tests.support.serving import row_models
from tests.support.serving.mapped_pairs import network
from tightrope.monitors.records import Role
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import Settings, load
from tightrope.service.config.runtime import RuntimeSection
from tightrope.service.inference.batchability import Findings, Proof, RowFinding
from tightrope.service.inference.probing import probe_memory
from tightrope.service.inference.probing.model_probe import probe_model
from tightrope.service.inference.probing.probe_memory import MAX_FILE_BYTES, PROBES_FILE, ProbeMemory
from tightrope.service.inference.row_probe import ProbeOptions
from tightrope.wiring.embedded import build_embedded

FINE = {"p": RowFinding(Proof.PROVEN)}
RUNTIME = RuntimeSection()


def settings_of(folder: Path) -> Settings:
    """Settings of a sound pair, whose state folder is there."""
    settings = load(write_config(folder, config(folder)), {})
    settings.state.folder.mkdir(exist_ok=True)
    return settings


def probed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The digests of the models that are probed from now on."""
    digests: list[str] = []

    def probe(model: OnnxModel, outputs: list[str], options: ProbeOptions) -> Findings:
        digests.append(model.digest)
        return probe_model(model, outputs, options)

    monkeypatch.setattr("tightrope.service.inference.loading.pair_loading.probe_model", probe)
    return digests


def test_second_start_makes_no_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds the same, in a file that only this user may read."""
    settings, digests = settings_of(tmp_path), probed(monkeypatch)
    first = load_pairs(settings)["m"]
    assert len(digests) == 2
    second = load_pairs(settings)["m"]
    assert len(digests) == 2
    assert second.batchability.findings == first.batchability.findings
    assert second.batchability.findings[Role.BASELINE]["probabilities"].scale is not None
    (file,) = settings.state.folder.iterdir()
    assert (file.name, oct(file.stat().st_mode)[-3:]) == (PROBES_FILE, "600")


def test_other_file_is_probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other role's stays known."""
    settings, digests = settings_of(tmp_path), probed(monkeypatch)
    load_pairs(settings)
    changed = classifier(tmp_path / "compressed.onnx", row_models.WEIGHTS.repeat(2, axis=0) * 3)
    load_pairs(settings)
    assert digests[2:] == [OnnxModel(changed).digest]


def test_other_runtime_outputs_or_version_are_probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads change no answer."""
    memory, model = ProbeMemory(tmp_path), OnnxModel(classifier(tmp_path / "m.onnx", row_models.WEIGHTS))
    memory.probe(model, RUNTIME, ["p"], lambda: FINE)
    assert memory.recall(model, RUNTIME, ["p"]) == FINE
    assert memory.recall(model, RuntimeSection(threads=2), ["p"]) == FINE
    assert memory.recall(model, RuntimeSection(optimization="none"), ["p"]) is None
    assert memory.recall(model, RUNTIME, ["q"]) is None
    for name, other in (("PROBE_VERSION", 99), ("version", lambda _: "99"), ("host_class_of", lambda _: "other")):
        with monkeypatch.context() as patch:
            patch.setattr(probe_memory, name, other)
            assert memory.recall(model, RUNTIME, ["p"]) is None


CONTENTS = [b"", b"{", b'{"k": {"p": {"proof": 7}}}', b"[]", b"\xff", b" " * (MAX_FILE_BYTES + 1)]


@pytest.mark.parametrize("content", CONTENTS)
def test_damaged_file_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    """And the next probe replaces it."""
    memory, model = ProbeMemory(tmp_path), OnnxModel(classifier(tmp_path / "m.onnx", row_models.WEIGHTS))
    (tmp_path / PROBES_FILE).write_bytes(content)
    assert memory.recall(model, RUNTIME, ["p"]) is None
    memory.probe(model, RUNTIME, ["p"], lambda: FINE)
    assert memory.recall(model, RUNTIME, ["p"]) == FINE


def test_unknown_or_slow_findings_are_not_remembered(tmp_path: Path) -> None:
    """The next start tries again."""
    memory, model = ProbeMemory(tmp_path), OnnxModel(classifier(tmp_path / "m.onnx", row_models.WEIGHTS))
    unknown = {**FINE, "q": RowFinding(Proof.UNKNOWN, "made-up rows take too long")}
    assert memory.probe(model, RUNTIME, ["p", "q"], lambda: unknown) == unknown
    memory.probe(model, RUNTIME, ["p"], lambda: FINE, ProbeOptions(seconds=0.0))
    assert not (tmp_path / PROBES_FILE).exists()


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest models are forgotten."""
    monkeypatch.setattr(probe_memory, "MAX_REMEMBERED", 3)
    memory, model = ProbeMemory(tmp_path), OnnxModel(classifier(tmp_path / "m.onnx", row_models.WEIGHTS))
    for name in "abcde":
        memory.probe(model, RUNTIME, [name], lambda: FINE)
    assert [memory.recall(model, RUNTIME, [name]) is not None for name in "abcde"] == [False, False, True, True, True]


def test_folder_that_is_missing_or_full_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No folder is made, and no draft stays."""
    model = OnnxModel(classifier(tmp_path / "m.onnx", row_models.WEIGHTS))
    assert ProbeMemory(tmp_path / "none").probe(model, RUNTIME, ["p"], lambda: FINE) == FINE
    assert not (tmp_path / "none").exists()

    def write_bytes(path: Path, content: bytes) -> int:
        del path, content
        raise OSError(28, "No space left on device")

    (tmp_path / "state").mkdir()
    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    assert ProbeMemory(tmp_path / "state").probe(model, RUNTIME, ["p"], lambda: FINE) == FINE
    assert list((tmp_path / "state").iterdir()) == []
    assert "so the next start probes again: No space left on device" in caplog.text


def test_models_with_other_tensors_are_remembered_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until callers see other tensors: then their runs on made-up rows are others."""
    files = {
        "baseline": network(tmp_path / "b.onnx", kind="f2"),
        "compressed": network(tmp_path / "c.onnx", 0.1, kind="f2"),
    }
    digests = probed(monkeypatch)

    def start(**section: object) -> int:
        settings = load(write_config(tmp_path, {"models": {"m": {**files, **section}}}), {})
        settings.state.folder.mkdir(exist_ok=True)
        load_pairs(settings)
        return len(digests)

    assert [start(), start()] == [2, 2]
    files["baseline"] = network(tmp_path / "b.onnx", kind="f8")
    assert start() == 4  # the compressed model's callers see FP64 now
    assert start() == 4


def test_findings_wait_for_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start makes it after the models are loaded; the second one makes no runs."""
    settings, digests = load(write_config(tmp_path, config(tmp_path)), {}), probed(monkeypatch)
    for _ in range(2):
        build_embedded(settings).store.close()
    assert len(digests) == 2
