"""The gate lets a pair serve only by a statement about these files, this configuration and this kind of host."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tests.support.qualification_files import write_statement
from tests.support.statement_files import write_statement_files
from tests.support.statements import MADE
from tightrope.offline.statements.opinion import new_opinion, write_opinion
from tightrope.service.adapters.model_files import find_files
from tightrope.service.config.loader import load
from tightrope.service.config.models import ModelSection
from tightrope.service.routing.qualification_gate import (
    NO_VERDICT,
    Qualification,
    examine_model,
    host_objection,
    with_statement_limits,
)
from tightrope.service.statements.kept_dissents import DISSENTS_FILE

NOW = datetime.now(UTC)
REFUSAL = {"score": "max_probability", "threshold": 0.6}


def written(folder: Path, **changes: object) -> Path:
    """Write a configuration with a qualification, and no limit of its own."""
    defaults: dict[str, Any] = {"qualification": {"require": True}, "limits": {}, "subgroup_limits": {}, "mode": None}
    return write_config(folder, config(folder, **{**defaults, **changes}))


def section_of(path: Path) -> ModelSection:
    """The section of the model."""
    return load(path, {}).models["m"]


def examined(path: Path, now: datetime = NOW, digests: Mapping[str, str] | None = None) -> Qualification | None:
    """The finding of the gate for a configuration."""
    section = section_of(path)
    ours = {role: find_files(Path(str(getattr(section, role)))).digest for role in ("compressed", "baseline")}
    return examine_model("m", section, {**ours, **(digests or {})}, now)


def found(path: Path, now: datetime = NOW, **digests: str) -> Qualification:
    """The finding of the gate where a statement is asked for."""
    result = examined(path, now, digests)
    assert result is not None
    return result


def test_statement_about_these_files_has_no_objection(tmp_path: Path) -> None:
    """It gives its verdict, its limits, its date and its digest."""
    path = written(tmp_path)
    file = write_statement(path, withheld=["group=minority"])
    result = found(path)
    assert (result.objections, result.mistakes, result.verdict) == ((), (), "qualified")
    assert (result.file, result.withheld) == (file, ("group=minority",))
    assert (dict(result.limits), dict(result.subgroup_limits)) == ({"disagreement": 0.07}, {"disagreement": 0.1})
    assert result.expires == pytest.approx((NOW + timedelta(days=180)).timestamp(), abs=3700)
    assert len(result.digest) == 64
    assert not result.blocks


def test_missing_file_is_an_objection_and_names_it(tmp_path: Path) -> None:
    """One line with the key and the file."""
    result = found(written(tmp_path))
    file = tmp_path / "compressed.onnx.intoto.jsonl"
    assert result.lines == [f"models.m.qualification: {file}: is missing"]
    assert (result.blocks, result.verdict) == (True, NO_VERDICT)


@pytest.mark.parametrize("role", ["compressed", "baseline"])
def test_other_file_is_named_with_both_digests(tmp_path: Path, role: str) -> None:
    """Neither model may be another."""
    path = written(tmp_path)
    write_statement(path)
    (line,) = found(path, **{role: "ab" * 32}).objections
    assert line.endswith(f"but {role} is abababab..")


def test_expired_statement_is_refused(tmp_path: Path) -> None:
    """From its last moment on."""
    path = written(tmp_path)
    write_statement(path, made=NOW - timedelta(days=10), days=10)
    assert found(path, NOW - timedelta(seconds=1)).objections == ()
    (line,) = found(path, NOW).objections
    assert line == f"expired on {NOW.date()}"
    assert found(path, NOW - timedelta(seconds=1)).expiry_reason(NOW.timestamp()) == line


def test_breach_without_an_approval_names_the_first_cell(tmp_path: Path) -> None:
    """A verdict that is not qualified lets nothing serve."""
    path = written(tmp_path)
    cell = {
        "criterion": "disagreement",
        "scope": "group=minority",
        "outcome": "breach",
        "seen": 0.539,
        "least": 0.481,
        "limit": 0.1,
    }
    write_statement(path, verdict="breach", cells=[cell])
    (line,) = found(path).objections
    assert line == "verdict breach: group=minority disagreement .539 (at least .481) over .10"


def dropped(config: dict[str, Any]) -> None:
    """Drop the subgroup."""
    config["subgroups"] = {}


def moved(config: dict[str, Any]) -> None:
    """Cut the subgroup from another column."""
    config["subgroups"]["group"]["column"] = 1


def recoded(config: dict[str, Any]) -> None:
    """Give a value other codes."""
    config["subgroups"]["group"]["values"]["minority"] = [2]


def renamed(config: dict[str, Any]) -> None:
    """Rename a value."""
    config["subgroups"]["group"]["values"] = {"few": [1], "majority": [0]}


def refusing(config: dict[str, Any]) -> None:
    """Refuse uncertain answers."""
    config["refusal"] = REFUSAL


def changed_config(folder: Path, change: Callable[[dict[str, Any]], None], **before: object) -> Path:
    """Qualify, then change the configuration."""
    write_statement(written(folder, **before))
    document = config(folder, **{"qualification": {"require": True}, "limits": {}, "subgroup_limits": {}, **before})
    change(document["models"]["m"])
    return write_config(folder, document)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (dropped, "subgroup group is not in the configuration"),
        (moved, "subgroup group comes from another place in the configuration"),
        (recoded, "subgroup group=minority has other codes in the configuration"),
        (renamed, "subgroup group=minority is not in the configuration"),
        (refusing, "was made for no refusal, but the configuration has refusal by max_probability at 0.6"),
    ],
)
def test_configuration_must_have_what_the_statement_was_made_for(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], line: str
) -> None:
    """Subgroups may not be dropped or redefined; refusal must be equal."""
    assert found(changed_config(tmp_path, change)).objections == (line,)


def test_subgroups_may_be_added(tmp_path: Path) -> None:
    """A new attribute, and a new value of one that was there."""

    def added(model: dict[str, Any]) -> None:
        model["subgroups"]["side"] = {"column": 0, "values": {"left": [1]}}
        model["subgroups"]["group"]["values"]["third"] = [3]

    assert found(changed_config(tmp_path, added)).objections == ()


def test_equal_refusals_may_be_written_in_two_ways(tmp_path: Path) -> None:
    """Without a threshold of its own the compressed model has the baseline's."""

    def spelled_out(model: dict[str, Any]) -> None:
        model["refusal"] = {**REFUSAL, "compressed_threshold": 0.6}

    def other(model: dict[str, Any]) -> None:
        model["refusal"] = {**REFUSAL, "compressed_threshold": 0.5}

    assert found(changed_config(tmp_path, spelled_out, refusal=REFUSAL)).objections == ()
    (line,) = found(changed_config(tmp_path, other, refusal=REFUSAL)).objections
    assert line.endswith("but the configuration has refusal by max_probability at 0.6 and 0.5")


@pytest.mark.parametrize(
    ("limits", "lines"),
    [
        ({"limits": {"disagreement": 0.05}}, 0),
        ({"limits": {"disagreement": 0.07}, "subgroup_limits": {"disagreement": 0.1}}, 0),
        ({"limits": {"disagreement": 0.08}}, 1),
        ({"limits": {"disagreement": None}}, 1),
        ({"subgroup_limits": {"disagreement": 0.2}}, 1),
        ({"limits": {"confidence": 0.5}}, 0),
    ],
)
def test_written_limits_may_only_be_tighter(tmp_path: Path, limits: dict[str, Any], lines: int) -> None:
    """A monitor that is off is looser; one that the statement does not name is free."""
    path = written(tmp_path, **limits)
    write_statement(path)
    mistakes = found(path).mistakes
    assert len(mistakes) == lines
    assert all(line.startswith("models.m.") and "looser than the 0." in line for line in mistakes)


def test_limits_flow_where_the_configuration_is_silent(tmp_path: Path) -> None:
    """A limit that is written stays, tighter as it is."""
    path = written(tmp_path, limits={"disagreement": 0.03}, mode=None)
    criteria = {
        "disagreement": {"model": 0.07, "subgroups": {"limit": 0.1, "proof": "not_over"}},
        "class_miss": {"classes": 0.06},
        "flip_gap": {"model": 0.02},
        "confidence": {"model": 0.9},
    }
    write_statement(path, criteria=criteria)
    section = with_statement_limits(section_of(path), found(path))
    assert section.limits == {"disagreement": 0.03, "class_miss": 0.06, "confidence": 0.7}
    assert section.subgroup_limits == {"disagreement": 0.1}


@pytest.mark.parametrize(("mode", "criteria", "armed"), [(None, {}, True), ("advisory", {}, False), (None, None, True)])
def test_model_with_a_statement_is_armed_by_default(
    tmp_path: Path, mode: str | None, criteria: dict[str, Any] | None, *, armed: bool
) -> None:
    """Also with one that names no live monitor; what is written stays."""
    path = written(tmp_path, mode=mode)
    write_statement(path, criteria=criteria)
    section = with_statement_limits(section_of(path), found(path))
    assert (section.planned_mode == "armed") is armed


def test_nothing_is_asked_where_nothing_is_required(tmp_path: Path) -> None:
    """Criteria alone ask for no statement; one that is there all the same gives its limits, and blocks nothing."""
    path = written(tmp_path, qualification={"confidence": 0.9})
    assert examined(path) is None
    write_statement(path)
    assert dict(found(path).limits) == {"disagreement": 0.07}
    assert not found(path, compressed="ab" * 32).blocks
    assert examined(written(tmp_path, qualification=None)) is None


def test_scope_that_is_withheld_and_not_there_is_an_objection(tmp_path: Path) -> None:
    """The scope would be served by the compressed model."""
    path = written(tmp_path)
    write_statement(path, withheld=["group=minority", "group=other", "model", "age=old"])
    assert found(path).objections == ("withholds age=old, which is not in the configuration",)


@pytest.mark.parametrize(
    ("classes", "line"),
    [("conform", ""), (["x"], ""), (["y", "z"], "this host (x) is none of host_classes: y, z")],
)
def test_hosts_may_be_listed(tmp_path: Path, classes: str | list[str], line: str) -> None:
    """Any host may serve that reproduces the golden answers, or a list of them."""
    asked = section_of(written(tmp_path, qualification={"require": True, "host_classes": classes})).qualification
    assert asked is not None
    assert host_objection(asked, ["x"]) == line


def test_garbage_is_an_objection_and_no_traceback(tmp_path: Path) -> None:
    """An unknown field in a statement, too: what a reader does not understand it must not accept."""
    path = written(tmp_path)
    file = tmp_path / "compressed.onnx.intoto.jsonl"
    for content in (b"", b"\x00\xff", b"{}\n[]\n", b'{"payload": "e30=", "payloadType": "x"}\n'):
        file.write_bytes(content)
        assert found(path).objections == ("has no qualification statement",)
    file.unlink()
    file.mkdir()
    assert len(found(path).objections) == 1


def test_dissent_is_kept_and_counts_when_its_line_is_gone(tmp_path: Path) -> None:
    """The gate saw it once; the bundle without it holds nothing more than before."""
    files = write_statement_files(tmp_path)
    before, dissents = files.bundle.read_bytes(), tmp_path / "state" / DISSENTS_FILE
    section = section_of(files.config)
    digests = {role: find_files(tmp_path / f"{role}.onnx").digest for role in ("compressed", "baseline")}
    opinion = new_opinion("owner", "no", NOW, dissents=True, serve=False)
    write_opinion(files.bundle, files.keys["cy"], opinion, [])
    for _ in range(2):
        result = examine_model("m", section, digests, MADE, dissents, keeps=True)
        assert result is not None
        assert 'cy dissents: "no" (owner)' in result.objections
        files.bundle.write_bytes(before)
