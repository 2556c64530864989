"""The texts below the keys of the configuration file, which docs/configuration.md shows.

A program that starts does not need them, and pydantic would read the source of each section for them.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


@cache
def key_texts(section: type[BaseModel]) -> dict[str, str]:
    """The text below each key of a section, also where the key is inherited."""
    bases = [base for base in reversed(section.__mro__) if issubclass(base, BaseModel) and base is not BaseModel]
    return {name: text for base in bases for name, text in _texts_of(base)}


def _texts_of(section: type[BaseModel]) -> Iterator[tuple[str, str]]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(section)))
    definition = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    for field, below in pairwise(definition.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(ast.Constant(str(text))):
                    yield field.target.id, inspect.cleandoc(text)
