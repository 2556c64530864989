"""The releases whose members run beside each other: this tree's, and that of an earlier revision."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from benchmarks.serving.revision import RevisionError, checked_out

FIRST_RELEASE = "d93bd25"
"""The last revision of release 0.1."""

LATER_MONITORS = {"class_gain", "class_miss", "clear_disagreement", "confidence_jump"}
"""Monitors that it does not know: it refuses a limit of theirs."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release: ``command`` is the start of its command lines."""

    name: str
    command: tuple[str, ...]


THIS_RELEASE = Release("this", (sys.executable, "-P", "-m", "tightrope"))


def first_release() -> Release:
    """Release 0.1, in a worktree and with packages of its own. The test is skipped where they cannot be had."""
    try:
        tree = checked_out(FIRST_RELEASE)
    except RevisionError as error:
        pytest.skip(f"the first release cannot be run: {error}")
    return Release(tree.name, (*tree.prefix, "-P", "-m", "tightrope"))


def limits_of_first_release(model: Mapping[str, Any]) -> dict[str, Any]:
    """A model's settings with the limits of the monitors that release 0.1 has."""
    return {**model, "limits": {name: limit for name, limit in model["limits"].items() if name not in LATER_MONITORS}}
