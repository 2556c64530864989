"""Snapshots of states, each encoded when it is read: most of those that a store puts off are never written."""

from collections.abc import Iterator, Mapping

from tightrope.monitors.plan import State
from tightrope.service.adapters.wire import record_codec


class EncodedStates(Mapping[str, bytes]):
    """The snapshots of these states by model; states are immutable."""

    def __init__(self, states: Mapping[str, State]) -> None:
        self._states = states

    def __getitem__(self, model: str) -> bytes:
        """The snapshot of a model."""
        return record_codec.encode_state(self._states[model])

    def __contains__(self, model: object) -> bool:
        """Whether there is one, without encoding it."""
        return model in self._states

    def __iter__(self) -> Iterator[str]:
        """The models."""
        return iter(self._states)

    def __len__(self) -> int:
        """The number of models."""
        return len(self._states)
