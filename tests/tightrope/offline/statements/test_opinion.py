from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.statement_files import write_statement_files
from tests.support.statements import BREACH, BREACH_KEY, PASSED, UNTOLD, UNTOLD_KEY
from tightrope.offline.statements import opinion as opinions
from tightrope.offline.statements.opinion import OpinionError, new_opinion, write_opinion
from tightrope.service.statements.bundle import read_bundle, write_bundle

NOW = datetime(2026, 11, 29, 12, 30, 15, 250_000, tzinfo=UTC)
APPROVAL = new_opinion("owner", "fine", NOW, dissents=False, serve=False)
DISSENT = new_opinion("owner", "no", NOW, dissents=True, serve=False)


def test_opinion_is_added_and_names_those_before_it(tmp_path: Path) -> None:
    """In whole seconds, about the payload of the statement."""
    files = write_statement_files(tmp_path)
    first = write_opinion(files.bundle, files.keys["bo"], DISSENT, [])
    second = write_opinion(files.bundle, files.keys["cy"], APPROVAL, [])
    one, two = read_bundle(files.bundle).approvals
    assert (one.digest, two.digest) == (first.digest, second.digest)
    assert one.statement.predicate.decision == "dissent"
    assert two.statement.predicate.seen == [first.digest]
    assert two.statement.predicate.at == NOW.replace(microsecond=0)
    assert one.statement.subject[0].digest.sha256 == read_bundle(files.bundle).qualifications[0].digest


def test_breach_is_approved_cell_by_cell(tmp_path: Path) -> None:
    """The line says which cells are left; a cell's name may hold equals signs, and so may its reason."""
    files = write_statement_files(tmp_path, "breach", [PASSED, BREACH, UNTOLD])
    reason = f"{BREACH_KEY}=a = b"
    with pytest.raises(OpinionError) as error:
        write_opinion(files.bundle, files.keys["bo"], APPROVAL, [reason])
    line = f'the verdict is breach; accept each cell that did not pass: --accept "{UNTOLD_KEY}=REASON"'
    assert str(error.value) == line
    written = write_opinion(files.bundle, files.keys["bo"], APPROVAL, [reason, f"{UNTOLD_KEY}=few"])
    assert written.opinion.accept == {BREACH_KEY: "a = b", UNTOLD_KEY: "few"}


@pytest.mark.parametrize(
    ("accepted", "line"),
    [
        ("disagreement:model=why", f"is no CELL=REASON; cells that did not pass: {BREACH_KEY}"),
        ("nonsense", f"is no CELL=REASON; cells that did not pass: {BREACH_KEY}"),
        (f"{BREACH_KEY}= ", f"{BREACH_KEY} has no reason after its last equals sign"),
    ],
)
def test_acceptance_of_no_open_cell_is_refused(tmp_path: Path, accepted: str, line: str) -> None:
    """A cell that passed needs none, and a reason is needed."""
    files = write_statement_files(tmp_path, "breach", [PASSED, BREACH])
    with pytest.raises(OpinionError) as error:
        write_opinion(files.bundle, files.keys["bo"], APPROVAL, [accepted])
    assert line in str(error.value)


def test_dissent_needs_no_acceptance(tmp_path: Path) -> None:
    """A verdict of any kind can be dissented from."""
    files = write_statement_files(tmp_path, "breach", [BREACH])
    assert write_opinion(files.bundle, files.keys["bo"], DISSENT, []).opinion.accept == {}


def test_verdict_without_measurement_cannot_be_approved(tmp_path: Path) -> None:
    """There is nothing to accept."""
    files = write_statement_files(tmp_path, "error", [{**UNTOLD, "outcome": "error"}])
    with pytest.raises(OpinionError, match="the verdict is error"):
        write_opinion(files.bundle, files.keys["bo"], APPROVAL, [])


def test_file_without_a_statement_is_refused(tmp_path: Path) -> None:
    """Each line names the file, and the file stays as it is."""
    files = write_statement_files(tmp_path)
    (tmp_path / "text").write_text("text\n")
    write_bundle(tmp_path / "empty", [])
    for name, line in (("text", "has no qualification statement"), ("empty", "has no"), ("absent", "is missing")):
        with pytest.raises(OpinionError) as error:
            write_opinion(tmp_path / name, files.keys["bo"], APPROVAL, [])
        assert str(error.value).startswith(f"{tmp_path / name}: {line}")
    assert (tmp_path / "text").read_text() == "text\n"


def test_without_the_extra_nothing_is_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what to install."""
    files = write_statement_files(tmp_path)
    monkeypatch.setattr(opinions, "has_extra", lambda: False)
    with pytest.raises(OpinionError, match=r"^--key: signatures need more: pip install 'tightrope\[signed\]'$"):
        write_opinion(files.bundle, files.keys["bo"], APPROVAL, [])
