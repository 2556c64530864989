"""Docstrings, comments and pages are plain technical English: subject first, and no riddles."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.house.sources import ROOT, files, python

OPENINGS = re.compile(r"(of|the same|what|who\w*|nobody|somebody|so|that which|whatever)\b", re.IGNORECASE)
"""A docstring says what the thing is or does; it does not begin with a relative clause."""

WORDS = re.compile(
    r"\b(whoever|whomever|whichever|whatever|nobody|somebody|anybody|everybody|so many|so much|of which|the same of"
    r"|to be had|none of them|(?-i:is none|are none))\b",
    re.IGNORECASE,
)
"""Words of a narrator. A caller is a caller, an operator an operator, and an index an index."""

ALLOWED: dict[str, str] = {}
"""The start of a line that may use one of them all the same, and why."""

PAGES = ("docs/", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "dashboards/runbook.md")


def docstrings(text: str) -> Iterator[tuple[int, str]]:
    """Each docstring of a module, class or function, and each text below a constant or a field, with its line."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def comments(text: str) -> Iterator[tuple[int, str]]:
    """Each comment with its line, without directives of the linters. It takes long to take a text apart, so only one is
    where a line with a `#` has one of the words.
    """
    if not any(WORDS.search(line) for line in text.splitlines() if "#" in line):
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], re.sub(r"#\s*(noqa|type: ignore)[^-]*(-\s*)?", "", token.string).lstrip("# ")


def faults(path: Path) -> Iterator[str]:
    """Where a Python file opens a docstring with a relative clause, or uses one of the words."""
    source = (ROOT / path).read_text()
    written = [*docstrings(source)]
    for line, text in written:
        if OPENINGS.match(text.strip()):
            yield f"{path}:{line}: opens with {text.strip().splitlines()[0][:50]!r}"
    for line, text in (*written, *comments(source)):
        if (found := WORDS.search(text)) and not any(start in text for start in ALLOWED):
            yield f"{path}:{line}: {found[0]!r}"


def test_faults_are_found(tmp_path: Path) -> None:
    """An opening, a word in a docstring and a word in a comment are each found; plain words are not."""
    odd = tmp_path / "odd.py"
    odd.write_text('"""Of rows."""\n\n\ndef f():\n    """Return rows."""\n    # whoever asks\n    return 1\n')
    assert [fault.partition(": ")[2] for fault in faults(odd)] == ["opens with 'Of rows.'", "'whoever'"]


def test_python_files_are_in_plain_language() -> None:
    """No docstring opens with a relative clause, and none of the narrator's words stands in it or in a comment."""
    assert [fault for path in python() for fault in faults(path)] == []


def test_pages_are_in_plain_language() -> None:
    """The pages that people read use none of the narrator's words either."""
    pages = [path for path in files() if path.suffix == ".md" and str(path).startswith(PAGES)]
    lines = [(path, number, line) for path in pages
             for number, line in enumerate((ROOT / path).read_text().splitlines(), 1)]  # fmt: skip
    assert len(pages) > 10
    assert [f"{path}:{number}: {found[0]}" for path, number, line in lines if (found := WORDS.search(line))] == []
