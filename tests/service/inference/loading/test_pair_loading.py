"""Loading of a pair announces its steps, and takes the findings of a trial in place of made-up rows."""

from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.monitors.records import Role
from tightrope.service.config.loader import ConfigError, Settings, load
from tightrope.service.inference.batchability import Proof, RowFinding
from tightrope.service.inference.loading.pair_loading import Trial, build_pair


def settings_of(folder: Path, **model: object) -> Settings:
    """Settings of a sound pair."""
    return load(write_config(folder, config(folder, **model)), {})


def test_each_step_is_announced_with_key_and_file(tmp_path: Path) -> None:
    """In the order in which a file could delay them."""
    (tmp_path / "golden.csv").write_text("left,right,group,harm\n1,0,0,0\n")
    steps: list[str] = []
    build_pair("m", settings_of(tmp_path, golden="golden.csv"), steps.append)
    files = [f"models.m.{role}: {tmp_path}/{role}.onnx" for role in (Role.BASELINE, Role.COMPRESSED)]
    assert steps == [
        *(f"{file}: loading" for file in files),
        *(f"{file}: a run on made-up rows" for file in files),
        f"models.m.golden: {tmp_path}/golden.csv: reading",
        f"models.m.golden: {tmp_path}/golden.csv: both models run on its rows",
    ]


def test_findings_of_a_trial_are_taken(tmp_path: Path) -> None:
    """For the roles that were tried; another one is probed here."""
    settings, steps = settings_of(tmp_path), []
    digests = {role: model.digest for role, model in build_pair("m", settings).models.items()}
    apart = {"probabilities": RowFinding(Proof.DISPROVED, "found elsewhere")}
    pair = build_pair("m", settings, steps.append, Trial(digests, {Role.COMPRESSED: apart}))
    assert pair.batchability.reason == "'probabilities' of the compressed model: found elsewhere"
    assert [step for step in steps if "made-up" in step] == [
        f"models.m.baseline: {tmp_path}/baseline.onnx: a run on made-up rows"
    ]


def test_other_files_than_those_of_a_trial_are_refused(tmp_path: Path) -> None:
    """The line names the key and the file."""
    with pytest.raises(ConfigError) as caught:
        build_pair("m", settings_of(tmp_path), trial=Trial({Role.BASELINE: "0" * 64}, {}))
    path = tmp_path / "baseline.onnx"
    assert caught.value.problems == [f"models.m.baseline: {path}: changed after its trial; deploy it again"]
