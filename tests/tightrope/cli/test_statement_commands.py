import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import tightrope, without_modules
from tests.support.statement_files import write_statement_files

Run = Callable[..., int]


def test_statement_is_approved_and_verified(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a statement without signatures to exit code 0."""
    files = write_statement_files(tmp_path)
    assert run("verify", files.config, "--at", "2026-12-01") == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"refused models.m.qualification: {files.bundle}: is not approved by an owner (0 of 1)",
        f"refused models.m.qualification: {files.bundle}: is not approved by a safety-reviewer (0 of 1)",
    ]
    for name, role in (("ana", "safety-reviewer"), ("cy", "owner")):
        assert run("approve", files.bundle, "--key", files.keys[name], "--role", role, "--note", "fine") == 0
    assert "approved as owner: compressed.onnx, verdict qualified, until 2027-05-27" in capsys.readouterr().out
    assert run("verify", files.config, "--at", "2026-12-01") == 0
    assert run("verify", files.config, "--at", "2027-06-01") == 3
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"ok models.m.qualification: {files.bundle}: qualified until 2027-05-27")
    assert out[1].endswith("expired on 2027-05-27")


def test_dissent_is_shown_with_its_note(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In JSON too."""
    files = write_statement_files(tmp_path)
    dissent = ("approve", files.bundle, "--key", files.keys["ana"], "--role", "safety-reviewer", "--dissent", "no\nway")
    assert run(*dissent, "--json") == 0
    assert json.loads(capsys.readouterr().out)["decision"] == "dissent"
    assert run("verify", files.config, "--at", "2026-12-01", "--json") == 3
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert 'ana dissents: "no\\nway" (safety-reviewer)' in document["models"]["m"]["reasons"]
    assert document["models"]["m"]["opinions"][0]["note"] == "no\nway"


@pytest.mark.parametrize("options", [(), ("--note", "a", "--dissent", "b"), ("--note", " ")])
def test_opinion_needs_one_text(run: Run, tmp_path: Path, options: tuple[str, ...]) -> None:
    """Either of both, and no empty one; the bundle stays as it is."""
    files = write_statement_files(tmp_path)
    before = files.bundle.read_bytes()
    assert run("approve", files.bundle, "--key", files.keys["bo"], "--role", "owner", *options) == 2
    assert files.bundle.read_bytes() == before


def test_manifest_is_written_beside_the_model(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Or printed; the bill of materials has a name of its own."""
    model = write_statement_files(tmp_path).bundle.with_name("compressed.onnx")
    assert run("manifest", model, "--recipe", "bits=8") == 0
    assert run("manifest", model, "--cyclonedx") == 0
    assert json.loads((tmp_path / "compressed.manifest.json").read_text())["subject"][0]["name"] == "compressed.onnx"
    assert json.loads((tmp_path / "compressed.cdx.json").read_text())["specVersion"] == "1.6"
    capsys.readouterr()
    assert run("manifest", model, "--out", "-") == 0
    assert json.loads(capsys.readouterr().out)["predicateType"] == "https://slsa.dev/provenance/v1"


def test_keys_without_the_extra_are_refused(tmp_path: Path) -> None:
    """In one line, by the real command: never skipped, never a traceback."""
    files = write_statement_files(tmp_path)
    path = without_modules(tmp_path, "securesystemslib", "cryptography")
    ended = tightrope("verify", files.config, PYTHONPATH=path)
    line = "signatures need more: pip install 'tightrope[signed]'"
    assert (ended.returncode, ended.stderr) == (1, f"error models.m.qualification.keys: {line}\n")
    key = files.keys["bo"]
    ended = tightrope("approve", files.bundle, "--key", key, "--role", "owner", "--note", "x", PYTHONPATH=path)
    assert (ended.returncode, ended.stderr) == (1, f"error --key: {line}\n")


def test_card_is_written_and_verified(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An altered figure is named, with exit code 3; --json says the same."""
    files = write_statement_files(tmp_path)
    assert run("card", files.config, "--out", tmp_path / "out") == 0
    assert capsys.readouterr().out.split() == [
        "wrote", f"{tmp_path}/out/card.md", "wrote", f"{tmp_path}/out/card.html",
    ]  # fmt: skip
    card = tmp_path / "out" / "card.md"
    assert run("verify", files.config, "--card", card) == 0
    assert capsys.readouterr().out.endswith("sources of m, no figure differs\n")
    card.write_text(card.read_text().replace("0.00872", "0.00002"))
    assert run("verify", files.config, "--card", card) == 3
    assert "says 0.00002, but [q:cell 0] gives 0.00872" in capsys.readouterr().out
    assert run("verify", files.config, "--card", card, "--json") == 3
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["model"], len(document["faults"])) == (False, "m", 2)
