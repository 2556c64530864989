import json
import re
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.statement_files import StatementFiles
from tests.support.statements import NOW
from tightrope.offline.card import verification
from tightrope.offline.card.sources import CardError
from tightrope.offline.card.verification import VerifiedCard, verify_card
from tightrope.offline.card.write import CARD_NAMES, write_card
from tightrope.offline.statements.opinion import new_opinion, write_opinion
from tightrope.service.config.loader import load

HARM = "**Of 1,000 in group quarters (residence) about 539 get another answer (at least 481; the limit is 100).** "


def verified(files: StatementFiles, name: str, *replaced: tuple[str, str]) -> VerifiedCard:
    """Write the card, replace texts in one of its files, and verify it."""
    settings = load(files.config)
    write_card(settings, None, NOW)
    path = files.bundle.with_name(name)
    text = path.read_text()
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)
    return verify_card(settings, path)


@pytest.mark.parametrize("name", CARD_NAMES)
def test_card_as_it_was_written_has_no_fault(files: StatementFiles, name: str) -> None:
    """Every source in it was computed again."""
    found = verified(files, name)
    assert found.faults == []
    assert found.figures > 20


@pytest.mark.parametrize("name", CARD_NAMES)
def test_altered_figure_is_named_with_its_source(files: StatementFiles, name: str) -> None:
    """Both figures, where two were altered."""
    fault, other = verified(files, name, ("about 539 get", "about 53 get"), ("0.00872", "0.00072")).faults
    assert re.fullmatch(r"line \d+: says 53, but \[q:cell 0\] gives 539", fault)
    assert re.fullmatch(r"line \d+: says 0.00072, but \[q:cell 2\] gives 0.00872", other)


def test_altered_digit_is_named_wherever_it_stands(files: StatementFiles) -> None:
    """Or the card is refused, where it is one of the stamp."""
    settings = load(files.config)
    path = write_card(settings, None, NOW)[0]
    text = path.read_text()
    for position in [found.start() for found in re.finditer(r"\d", text)][::29]:
        path.write_text(f"{text[:position]}{9 - int(text[position])}{text[position + 1 :]}")
        with suppress(CardError):
            assert verify_card(settings, path).faults, text[position - 40 : position + 10]


def test_lines_that_are_added_or_taken_out_are_named(files: StatementFiles) -> None:
    """Harm cannot be left out, and praise cannot be added."""
    missing = verified(files, "card.md", (f"{HARM}[q:cell 0]\n\n", "")).faults
    assert any("is missing: Of 1,000 in group quarters" in each for each in missing)
    (added,) = verified(files, "card.md", ("## For whom", "All are well.\n## For whom")).faults
    assert "is in no source: All are well." in added
    (markup,) = verified(files, "card.html", ('<p class="bad">', '<p hidden class="bad">')).faults
    assert "has other markup" in markup


def test_later_opinion_makes_a_card_old(files: StatementFiles) -> None:
    """The dissent is missing in it."""
    settings = load(files.config)
    path = write_card(settings, None, NOW)[0]
    dissent = new_opinion("owner", "no", NOW, dissents=True, serve=False)
    write_opinion(files.bundle, files.keys["cy"], dissent, [])
    assert any("dissents" in fault for fault in verify_card(settings, path).faults)


def test_card_of_another_program_or_statement_is_refused(
    files: StatementFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, not as a thousand differences."""
    settings = load(files.config)
    path = write_card(settings, None, NOW)[0]
    text = path.read_text()
    stamp = re.search(r'"statement": "\w+"', text)
    assert stamp is not None
    path.write_text(text.replace(stamp[0], json.dumps({"statement": "ab" * 32})[1:-1]))
    (fault,) = verify_card(settings, path).faults
    assert fault.startswith("is about the statement abababab.., but that of these files is ")
    path.write_text(text)
    monkeypatch.setattr(verification, "PROGRAM", "tightrope 9")
    (fault,) = verify_card(settings, path).faults
    assert fault.endswith("and this is tightrope 9: make it again")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"# a page", "is no card of `tightrope card`: its stamp is missing"),
        (b"\xff", "is no card: it is not UTF-8"),
        (b'<!-- tightrope-card: {"at": 1} -->', "its stamp cannot be read"),
    ],
)
def test_file_that_is_no_card_is_refused(files: StatementFiles, tmp_path: Path, content: bytes, error: str) -> None:
    """With its name."""
    path = tmp_path / "x.md"
    path.write_bytes(content)
    with pytest.raises(CardError, match=error):
        verify_card(load(files.config), path)
