"""The check of a configuration names every mistake in one go."""

import os
from pathlib import Path
from typing import Any

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.wiring.configuration_check import check_configuration


def problems_of(folder: Path, document: dict[str, Any]) -> list[str]:
    """The problems of a configuration, without its own path."""
    path = write_config(folder, document)
    return [line.removeprefix(f"{path}: ") for line in check_configuration(path).problems]


def starts(lines: list[str]) -> list[str]:
    """The key of each line."""
    return [line.split(": ")[0] for line in lines]


def test_mistakes_of_fields_files_and_models_are_told_together(tmp_path: Path) -> None:
    """Two models with field errors and broken files, one with a floor of an unknown subgroup, and a token file."""
    (tmp_path / "garbage.onnx").write_bytes(b"garbage" * 40)
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "folder.onnx").mkdir()
    os.mkfifo(tmp_path / "pipe.onnx")
    document = config(tmp_path)
    sound = document["models"]["m"]
    document["models"] = {
        "a": {"baseline": "garbage.onnx", "compressed": "pipe.onnx", "golden": "none.csv"},
        "b": {"baseline": "folder.onnx", "compressed": "empty.onnx", "limts": {}},
        "c": {**sound, "sampling": {"floors": {"group=minorty": 1}}, "limits": {"mixx": 0.1}},
    }
    lines = problems_of(tmp_path, {**document, "server": {"prt": 1, "control_token_file": "none"}})
    assert starts(lines) == [
        "models.b.limts",
        "models.c.limits",
        "server.prt",
        "models.a.baseline",
        "models.a.compressed",
        "models.a.golden",
        "models.b.baseline",
        "models.b.compressed",
        "models.c.sampling.floors.group=minorty",
        "server.control_token_file",
    ]
    assert "named pipe" in lines[4]
    suggested = {line.split(":")[0]: line.split("did you mean ")[1] for line in lines if "did you mean" in line}
    assert suggested == {
        "models.b.limts": "'limits'?",
        "models.c.limits": "'mix'?",
        "server.prt": "'port'?",
        "models.c.sampling.floors.group=minorty": "'group=minority'?",
    }


def test_mistakes_that_may_follow_from_a_lost_key_are_not_told(tmp_path: Path) -> None:
    """The floor names a subgroup whose key is misspelt: only the misspelling is a mistake."""
    document = config(tmp_path, sampling={"floors": {"group=minority": 1}})
    document["models"]["m"]["subgrups"] = document["models"]["m"].pop("subgroups")
    assert starts(problems_of(tmp_path, document)) == ["models.m.subgrups"]


def test_unknown_kind_is_told_beside_wrong_options(tmp_path: Path) -> None:
    """Also one of a later version, and where the models cannot be loaded; options of a lost kind are no mistakes."""
    document = config(tmp_path)
    for kind, told in (("clases", "did you mean 'classes'?"), ("text", "a later version"), (7, "valid string")):
        document["models"]["m"]["decision"] = {"kind": kind, "edges": "x", "top": 3}
        lines = problems_of(tmp_path, document)
        assert sorted(starts(lines)) == ["models.m.decision.edges", "models.m.decision.kind"]
        assert told in next(line for line in lines if "decision.kind" in line)
    document["models"]["m"] |= {"baseline": "none.onnx", "decision": {"kind": "clases", "edges": "x"}}
    assert starts(problems_of(tmp_path, document))[-2:] == ["models.m.baseline", "models.m.decision.kind"]


def test_sound_configuration_has_pairs_and_no_problems(tmp_path: Path) -> None:
    """The pairs are loaded, as for a start."""
    found = check_configuration(write_config(tmp_path, config(tmp_path)))
    assert (found.problems, list(found.pairs), found.has_control) == ([], ["m"], False)


def test_unreadable_file_is_one_problem(tmp_path: Path) -> None:
    """Nothing is left to check."""
    assert len(check_configuration(tmp_path / "none.yaml").problems) == 1
