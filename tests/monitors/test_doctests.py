"""The examples in the docstrings of monitors/ run, and each public class has one."""

import doctest
import inspect
import pkgutil
from enum import Enum
from importlib import import_module
from types import ModuleType
from typing import Protocol

import pytest

from tightrope import monitors
from tightrope.monitors.detector_bank import MonitorRun
from tightrope.monitors.folding.inputs import FoldStep, StateChange

MODULES = [
    import_module(module.name)
    for module in pkgutil.walk_packages(monitors.__path__, f"{monitors.__name__}.")
    if not module.ispkg
]

EXCUSED: dict[type, str] = {
    FoldStep: "the tests of the recorder build one",
    StateChange: "each is an argument of `fold`, whose tests build them all",
    MonitorRun: "the example of Trajectory builds one",
    Enum: "its members are the documentation",
    Exception: "the functions that raise it document it",
    Protocol: "its implementations have examples",  # type: ignore[dict-item]  # a special form to mypy
}
"""Classes that need no example, subclasses included, and why."""


def public_classes(module: ModuleType) -> list[type]:
    """The public classes that a module defines."""
    defined = (value for value in vars(module).values() if inspect.isclass(value))
    return [each for each in defined if each.__module__ == module.__name__ and not each.__name__.startswith("_")]


def has_example(class_: type) -> bool:
    """Whether the docstring of a class, or of one of its methods, holds an example."""
    return any(test.examples for test in doctest.DocTestFinder(exclude_empty=True).find(class_))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples_give_the_documented_results(module: ModuleType) -> None:
    """Each example is run in the namespace of its module."""
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_each_public_class_has_an_example(module: ModuleType) -> None:
    """Only excused classes have none."""
    missing = [each.__name__ for each in public_classes(module) if not has_example(each)]
    assert [name for name in missing if not any(base in getattr(module, name).__mro__ for base in EXCUSED)] == []


def test_excuses_are_needed() -> None:
    """An excuse without a class to excuse is removed."""
    classes = [each for module in MODULES for each in public_classes(module) if not has_example(each)]
    assert [base.__name__ for base in EXCUSED if not any(base in each.__mro__ for each in classes)] == []
