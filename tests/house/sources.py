"""The project's Python files, and how they are counted."""

import ast
import io
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINKED = ("monitors", "service", "shadow", "dashboards", "demo")
"""Folders at the top of the repository that `tightrope/` holds a link to."""

PACKAGES = (*LINKED, "tightrope")
"""The folders whose modules have tests beside them."""

_LAYOUT = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
)


@cache
def files() -> tuple[Path, ...]:
    """Every file that is tracked or would be, relative to the root."""
    return tuple(path for path in paths() if (ROOT / path).is_file())


@cache
def paths() -> tuple[Path, ...]:
    """Every path that is tracked or would be, relative to the root: files, and links to folders."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607 - the git of the path
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if listed.returncode:
        pytest.skip("this is not a git checkout, or git is missing")
    return tuple(Path(name) for name in sorted(set(listed.stdout.split("\0"))) if name)


def python(*folders: str) -> list[Path]:
    """Python files, in all folders or in the given ones."""
    return [path for path in files() if path.suffix == ".py" and (not folders or path.parts[0] in folders)]


def code_lines(text: str) -> int:
    """Number of lines that hold a token and belong to no comment and no docstring."""
    return len(_code(text))


def functions(text: str) -> dict[str, int]:
    """Code lines of each function, methods and nested functions included, keyed by `name:line`."""
    code = _code(text)
    return {f"{node.name}:{node.lineno}": len(code & {*_lines(node)}) for node in _functions(text)}


def spans(text: str) -> list[int]:
    """Lines of each function, with the blank ones, comments and docstrings, which take a tenth of the time to count."""
    return [len(_lines(node)) for node in _functions(text)]


def _functions(text: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def _code(text: str) -> frozenset[int]:
    docstrings = {line for node in ast.walk(ast.parse(text)) if _is_docstring(node) for line in _lines(node)}
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _LAYOUT:
            code.update(range(token.start[0], token.end[0] + 1))
    return frozenset(code - docstrings)


def _is_docstring(node: ast.AST) -> bool:
    """Whether a statement is a docstring, or a text below a constant or a field."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _lines(node: ast.AST) -> range:
    assert isinstance(node, ast.stmt)
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)
