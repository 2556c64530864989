"""Each claim of the pages on statistics names a test, and that test exists."""

import re

import pytest

from docs.generate import HERE
from tests.house.sources import ROOT

PLAIN, FORMULAS = ((HERE / name).read_text() for name in ("statistics.md", "formulas.md"))
NAMED = re.compile(r"tests/[\w/]+\.py(?:::\w+)?")
NOTE = re.compile(r"^\[\^(\w+)\]: (.*(?:\n    .*)*)", re.MULTILINE)


def claims(page: str) -> list[str]:
    """Return the paragraphs and list items of the sections, without headings and notes."""
    body = NOTE.sub("", page[page.index("## ") :])
    blocks = [block for paragraph in body.split("\n\n") for block in re.split(r"\n(?=- )", paragraph)]
    return [block for block in map(str.strip, blocks) if block and not block.startswith("#")]


@pytest.mark.parametrize("name", sorted(set(NAMED.findall(PLAIN + FORMULAS))))
def test_named_tests_exist(name: str) -> None:
    """The file, and in it the function."""
    path, _, function = name.partition("::")
    assert f"def {function}(" in (ROOT / path).read_text()
    assert function.startswith("test_")


@pytest.mark.parametrize("claim", claims(PLAIN))
def test_each_paragraph_in_plain_words_has_a_note(claim: str) -> None:
    """A sentence that only opens a list has none."""
    assert re.search(r"\[\^\w+\]", claim) or claim.endswith("facts.")


def test_each_note_names_a_test_and_is_used_once() -> None:
    """A note without a paragraph proves nothing."""
    notes = dict(NOTE.findall(PLAIN))
    assert [name for name, text in notes.items() if not NAMED.search(text)] == []
    assert sorted(re.findall(r"\[\^(\w+)\](?!:)", PLAIN)) == sorted(notes)


@pytest.mark.parametrize("section", FORMULAS.split("\n## ")[1:])
def test_each_section_of_formulas_ends_with_its_tests(section: str) -> None:
    """After everything that the section claims."""
    last = section.strip().rpartition("\n\n")[2]
    assert last.startswith("*Tests:* ")
    assert NAMED.search(last)
