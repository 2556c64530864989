"""The keys that may approve, read from the files of the configuration."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tightrope.service.errors import TightropeError
from tightrope.service.statements.examination import NO_TRUST
from tightrope.service.statements.trust import Trust

if TYPE_CHECKING:
    from tightrope.service.adapters.attestation.ed25519 import VerifyingKey

NEEDS_SIGNED = "signatures need more: pip install 'tightrope[signed]'"


class TrustError(TightropeError):
    """Keys cannot be used; each of the ``problems`` names its key of the configuration below `qualification`."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def has_extra() -> bool:
    """Whether the extra `signed` is installed."""
    return all(importlib.util.find_spec(name) for name in ("securesystemslib", "cryptography"))


def load_trust(keys: Mapping[str, Sequence[Path]], needed: Mapping[str, int]) -> Trust:
    """Read the keys of each role; a key that is listed twice in a role, in two files too, is one.

    Raises:
        TrustError: with every mistake; also when the extra `signed` is not installed, so that nothing is skipped.
    """
    if not keys:
        return NO_TRUST
    if not has_extra():
        raise TrustError([f"keys: {NEEDS_SIGNED}"])
    problems: list[str] = []
    read = {role: _read_role(role, files, problems) for role, files in keys.items()}
    for role, count in needed.items():
        if count > len(read.get(role, ())) and not problems:
            problems.append(
                f"approvals.{role} is {count}, but keys.{role} has {len(read.get(role, ()))} different keys"
            )
    if problems:
        raise TrustError(problems)
    return Trust(read, {role: max(needed.get(role, 1), 1) for role in read})


def _read_role(role: str, files: Sequence[Path], problems: list[str]) -> "list[VerifyingKey]":
    from tightrope.service.adapters.attestation.ed25519 import KeyFileError, load_public_key  # noqa: PLC0415 - an extra

    found: dict[str, VerifyingKey] = {}
    for file in files:
        try:
            key = load_public_key(file)
            found.setdefault(key.value, key)
        except KeyFileError as error:
            problems.append(f"keys.{role}: {error}")
    return list(found.values())
