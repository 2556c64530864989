from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.statement_files import StatementFiles, write_statement_files
from tests.support.statements import BREACH, BREACH_KEY, NOW, PASSED
from tightrope.monitors.records import Role
from tightrope.offline.statements.opinion import new_opinion, write_opinion
from tightrope.offline.statements.verification import describe_judgement, expected_digests, summary, verify
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import ConfigError, load
from tightrope.service.statements.bundle import read_bundle
from tightrope.service.statements.kept_dissents import DISSENTS_FILE, keep_dissents
from tightrope.service.statements.keys import load_trust


def approve(files: StatementFiles, *accepted: str) -> None:
    """Approve in both roles."""
    for name, role in (("ana", "safety-reviewer"), ("bo", "owner")):
        opinion = new_opinion(role, "fine", NOW, dissents=False, serve=False)
        write_opinion(files.bundle, files.keys[name], opinion, accepted)


def reasons(files: StatementFiles) -> list[str]:
    """The reasons against the model."""
    return list(verify(load(files.config), None, NOW)["m"].examination.reasons)


def flip(path: Path, index: int) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[index] ^= 1
    path.write_bytes(content)


def test_approved_statement_is_verified(tmp_path: Path) -> None:
    """One line tells its end and who approved it."""
    files = write_statement_files(tmp_path)
    approve(files)
    verified = verify(load(files.config), "m", NOW)["m"]
    assert verified.lines == []
    assert summary(verified.examination) == "qualified until 2027-05-27; approved by bo (owner), ana (safety-reviewer)"
    assert describe_judgement(verified)["ok"]


def test_digests_are_those_of_the_loaded_models(tmp_path: Path) -> None:
    """Though verify loads none."""
    settings = load(write_statement_files(tmp_path).config)
    pair = load_pairs(settings, enforced=False)["m"]
    assert expected_digests("m", settings) == {str(role): pair.models[role].digest for role in Role}


@pytest.mark.parametrize("name", ["compressed", "baseline"])
def test_flipped_bit_of_a_model_has_its_line(tmp_path: Path, name: str) -> None:
    """Also a bit that makes it unreadable."""
    files = write_statement_files(tmp_path)
    approve(files)
    flip(tmp_path / f"{name}.onnx", 0)
    (line,) = reasons(files)
    assert f", but {name} is " in line


def test_flipped_bit_of_a_signature_or_a_payload_has_its_line(tmp_path: Path) -> None:
    """Every character of the last approval but its key's name."""
    files = write_statement_files(tmp_path)
    approve(files)
    content = files.bundle.read_bytes()
    lines = content.splitlines()
    start = content.index(lines[-1])
    ends = [start + lines[-1].index(b'"sig":"') + 10, start + lines[-1].index(b'"payload":"') + 40]
    for index in ends:
        files.bundle.write_bytes(content)
        flip(files.bundle, index)
        assert reasons(files)[0].startswith("is not approved by an owner (0 of 1)")


def test_missing_files_are_reasons(tmp_path: Path) -> None:
    """The bundle, and a model."""
    files = write_statement_files(tmp_path)
    approve(files)
    settings = load(files.config)
    (tmp_path / "compressed.onnx").rename(tmp_path / "other.onnx")
    assert verify(settings, None, NOW)["m"].examination.reasons == [
        f"{tmp_path}/compressed.onnx: cannot be read: No such file or directory"
    ]
    files.bundle.unlink()
    assert verify(settings, None, NOW)["m"].lines == [f"models.m.qualification: {files.bundle}: is missing"]


def test_dissent_that_the_gateway_kept_counts(tmp_path: Path) -> None:
    """Though its line is deleted from the bundle, and no later opinion names it."""
    files = write_statement_files(tmp_path)
    approve(files)
    before = files.bundle.read_bytes()
    dissent = new_opinion("owner", "no", NOW, dissents=True, serve=False)
    write_opinion(files.bundle, files.keys["cy"], dissent, [])
    settings = load(files.config)
    trust = load_trust({"owner": [tmp_path / "cy.pub"]}, {})
    keep_dissents(settings.state.folder / DISSENTS_FILE, read_bundle(files.bundle), trust)
    files.bundle.write_bytes(before)
    assert reasons(files) == ['cy dissents: "no" (owner)']


def test_configuration_that_does_not_fit_is_refused_as_the_gate_does(tmp_path: Path) -> None:
    """A subgroup that is gone, and a looser limit."""
    files = write_statement_files(tmp_path)
    approve(files)
    text = files.config.read_text()
    files.config.write_text(
        text.replace("residence", "home").replace("    mode:", "    limits: {disagreement: 0.2}\n    mode:")
    )
    verified = verify(load(files.config), None, NOW)["m"]
    assert verified.lines[0] == (
        f"models.m.qualification: {files.bundle}: subgroup residence is not in the configuration"
    )
    assert verified.lines[1].startswith("models.m.limits.disagreement: is 0.2, looser than the 0.07")
    assert not verified.holds


def test_accepted_breach_names_what_is_withheld(tmp_path: Path) -> None:
    """The verdict stays what it is."""
    files = write_statement_files(tmp_path, "breach", [PASSED, BREACH])
    approve(files, f"{BREACH_KEY}=by the baseline")
    examination = verify(load(files.config), None, NOW)["m"].examination
    assert summary(examination).startswith("breach (accepted) until 2027-05-27; approved by bo")
    assert summary(examination).endswith("; withheld: residence=group_quarters")


def test_expiry_is_judged_for_the_given_time(tmp_path: Path) -> None:
    """As an auditor asks for a later date."""
    files = write_statement_files(tmp_path)
    approve(files)
    later = verify(load(files.config), None, NOW + timedelta(days=200))["m"]
    assert later.examination.reasons == ["expired on 2027-05-27"]


def test_keys_that_cannot_be_read_are_mistakes(tmp_path: Path) -> None:
    """They are no judgement; the line names the key of the configuration."""
    files = write_statement_files(tmp_path)
    (tmp_path / "bo.pub").write_text("text")
    with pytest.raises(ConfigError) as error:
        verify(load(files.config), None, NOW)
    (line,) = error.value.problems
    assert line.startswith(f"models.m.qualification.keys.owner: {tmp_path}/bo.pub: holds no public key")


def test_unknown_model_is_refused(tmp_path: Path) -> None:
    """With the names that there are."""
    with pytest.raises(ConfigError, match="--model: 'x' is not one of m"):
        verify(load(write_statement_files(tmp_path).config), "x", NOW)


def test_configuration_without_a_qualification_has_nothing_to_verify(tmp_path: Path) -> None:
    """A command that says ok about nothing would mislead."""
    files = write_statement_files(tmp_path)
    text = files.config.read_text()
    files.config.write_text(text[: text.index("    qualification:")])
    with pytest.raises(ConfigError, match=r"models\.m\.qualification: is missing"):
        verify(load(files.config), None, NOW)
