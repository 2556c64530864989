"""The keys that may approve a statement, by role."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tightrope.service.statements.envelope import Envelope


class SignerKey(Protocol):
    """A public key. ``name`` is that of its file without the ending; it names the person in messages."""

    @property
    def name(self) -> str:
        """The person."""
        ...

    def has_signed(self, envelope: Envelope) -> bool:
        """Whether a signature of the envelope is by this key. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Trust:
    """For each role the keys that may approve in it, no key twice, and how many of them must (``needed``)."""

    keys: Mapping[str, Sequence[SignerKey]]
    needed: Mapping[str, int]

    def has_signed(self, envelope: Envelope) -> bool:
        """Whether a key of any role signed the envelope."""
        return any(key.has_signed(envelope) for keys in self.keys.values() for key in keys)
