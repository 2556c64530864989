from collections import Counter

from tests.house.sources import PACKAGES, ROOT, code_lines, functions, python, spans

MOST_LINES = 200
LONGEST_FUNCTION = 45
MOST_FILES = 16
LARGE_FOLDERS = {"monitors": 24}
"""Folders that may hold more files until they get rooms."""

EXAMPLE = '''"""A docstring
of two lines."""

# a comment
import os  # and one beside code


class Thing:
    """A class."""

    text = """two lines
    of text"""
    """What a field is."""

    def method(
        self,
    ) -> None:
        """Another docstring."""

        return os.name, self.text
'''


def test_lines_are_counted_as_they_are_meant() -> None:
    """Blank lines, comments and docstrings do not count; a string over two lines counts two."""
    assert code_lines(EXAMPLE) == 8
    assert functions(EXAMPLE) == {"method:15": 4}
    assert spans(EXAMPLE) == [6]


def test_files_are_short() -> None:
    """A file has at most two hundred lines of code."""
    texts = {str(path): (ROOT / path).read_text() for path in python()}
    assert len(texts) > 100
    long = {
        path: text for path, text in texts.items() if text.count("\n") > MOST_LINES
    }  # only these take long to count
    assert {path: lines for path, text in long.items() if (lines := code_lines(text)) > MOST_LINES} == {}


def test_functions_are_short() -> None:
    """A function fits on a screen."""
    texts = {str(path): (ROOT / path).read_text() for path in python()}
    lengths = {path: spans(text) for path, text in texts.items()}
    assert sum(map(len, lengths.values())) > 500
    long = [path for path, found in lengths.items() if max(found, default=0) > LONGEST_FUNCTION]
    counted = {f"{path}:{name}": lines for path in long for name, lines in functions(texts[path]).items()}
    assert {name: lines for name, lines in counted.items() if lines > LONGEST_FUNCTION} == {}


def test_folders_are_small() -> None:
    """A folder of the product holds at most sixteen modules; `__init__.py` does not count."""
    counts = Counter(str(path.parent) for path in python(*PACKAGES) if path.name != "__init__.py")
    assert {name: n for name, n in counts.items() if n > LARGE_FOLDERS.get(name, MOST_FILES)} == {}
