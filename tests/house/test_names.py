"""One name, one meaning: constants and classes of one name in several modules, and names that say nothing."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.house.sources import PACKAGES, ROOT, python

SHARED: dict[str, str] = {
    "COMMANDS": "the commands that a module of the command line offers: one meaning in each",
    "T": "a type variable",
}
"""Names that several modules define, and why that is no second meaning."""

RIDDLES = {"told", "said", "tell", "mind", "stand", "stands", "look", "rest", "learn", "give", "of_", "knows"}
"""Names of functions, parameters, variables and attributes that say nothing about their subject."""

FUNCTIONS = RIDDLES | {"known", "found", "place", "places", "at"}

VARIABLES = RIDDLES | {"of", "place", "places"}

EXCUSED: dict[str, str] = {}
"""`file: name` pairs that may stay, and why: names of a library's own interface, for example."""


@cache
def definitions(path: Path) -> frozenset[str]:
    """Constants and classes that a module defines at its top."""
    return frozenset(_definitions(path))


def _definitions(path: Path) -> Iterator[str]:
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name) and n.id[:1].isupper())


def riddles(path: Path) -> Iterator[str]:
    """Names in a file that say nothing about their subject."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.strip("_") in FUNCTIONS:
            yield f"{path}: {node.name}"
        elif isinstance(node, ast.arg) and node.arg.strip("_") in VARIABLES:
            yield f"{path}: {node.arg}"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id.strip("_") in VARIABLES:
            yield f"{path}: {node.id}"


def test_one_name_has_one_meaning() -> None:
    """A constant or a class is defined once; a reader who meets it elsewhere knows what it is."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path in python(*PACKAGES):
        for name in definitions(path):
            homes[name].append(str(path))
    several = {name: paths for name, paths in homes.items() if len(paths) > 1 and name not in SHARED}
    assert several == {}


def test_shared_names_are_shared() -> None:
    """A name that only one module defines by now needs no excuse."""
    counts: dict[str, int] = defaultdict(int)
    for path in python(*PACKAGES):
        for name in definitions(path):
            counts[name] += 1
    assert [name for name in SHARED if counts[name] < 2] == []


def test_names_say_what_they_name() -> None:
    """A function is a verb of its subject, a variable the term of what it holds."""
    found = dict.fromkeys(riddle for path in python(*PACKAGES) for riddle in riddles(path))
    assert [riddle for riddle in found if riddle not in EXCUSED] == []
