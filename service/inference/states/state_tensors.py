"""The states of a pair: outputs that callers send back as inputs with their next request.

A state means something to the model that wrote it only, so that role answers, in safe mode too. The role is known by
the request parameter `state_of`, which every answer carries, or by the digest of the state. A state of zeros, or
without entries, is fresh: any role may answer it. An unknown one is answered by the role that the request is routed to,
and the answer says so; so is one of a compressed model that no statement lets serve any more. Only rows with fresh
states are compared: the other model knows no other ones.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np

from tightrope.monitors.records import Bools, Role, Tensors
from tightrope.service.inference.states.state_owners import StateOwners
from tightrope.service.protocol.rest import Scalar
from tightrope.service.protocol.tensors import Tensor

STATE_OF, STATE_UNKNOWN = "state_of", "state_unknown"
"""Parameters: the role that wrote a state, in requests and answers, and that it is not known, in answers."""

OWNED_STATE = "owned_state"
"""The fault of an answer of the compressed model, which wrote the state, where the baseline should answer."""

STATE_DIGEST_BYTES = 16


class RoutedBatch(Protocol):
    """A batch on its way through the engine, as `batch.BatchExecution`."""

    routed: Sequence[Role]

    @property
    def batch(self) -> Any:  # noqa: ANN401 - a `RequestBatch`
        """The requests."""

    @property
    def slices(self) -> Mapping[int, Any]:
        """The rows of each request in the run that answers it."""

    def annotate(self, index: int, **parameters: Scalar) -> None:
        """Add parameters to an answer."""


@dataclass
class StateTensors:
    """The states of a pair: ``inputs`` has the input of each output that is a state, ``axes`` the outputs whose rows
    are on another axis than 0. Any thread may call this.
    """

    inputs: Mapping[str, str]
    axes: Mapping[str, int] = field(default_factory=dict)
    _owners: StateOwners = field(default_factory=StateOwners)
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _not_comparable: int = 0
    _unguarded: int = 0

    def route(self, execution: RoutedBatch, unqualified: str = "") -> Collection[int]:
        """Route the requests of a batch to the roles that wrote their states; returns the indices of those requests.
        Those of the compressed model are as unknown ones while there is a reason why it is ``unqualified``.
        """
        fresh, owned = self.fresh(execution.batch.inputs), set[int]()
        if fresh.all():
            return owned
        routed = list(execution.routed)
        for index, end in enumerate(execution.batch.ends):
            rows = np.arange(execution.batch.start(index), end)
            rows = rows[~fresh[rows]]
            if not len(rows):
                continue
            owner = self._owner(execution, index, rows)
            if owner is None or (owner is Role.COMPRESSED and unqualified):
                execution.annotate(index, **{STATE_UNKNOWN: True})
                continue
            owned.add(index)
            if owner is not routed[index]:
                execution.annotate(index, safe_mode=routed[index] is Role.BASELINE)
                if owner is Role.COMPRESSED:
                    execution.annotate(index, monitored=False, fault=OWNED_STATE)
                    with self._counting:
                        self._unguarded += 1
                routed[index] = owner
        execution.routed = routed
        return owned

    def record(self, execution: RoutedBatch) -> None:
        """Mark the answers of a batch with the roles that wrote their states, and remember those."""
        for index, rows in execution.slices.items():
            role, given = rows.run.role, rows.run.outputs
            execution.annotate(index, **{STATE_OF: str(role)})
            if all(name in given and given[name].ndim > self.axes.get(name, 0) for name in self.inputs):
                states = rows.outputs(list(self.inputs))
                moved = [np.moveaxis(states[name], self.axes.get(name, 0), 0) for name in self.inputs]
                types = [execution.batch.inputs[name].dtype for name in self.inputs.values()]
                self._owners.remember(_digests(moved, types), role)

    def fresh(self, inputs: Tensors) -> Bools:
        """Which rows have fresh states, (R,): nothing but zeros."""
        states = [inputs[name] for name in self.inputs.values()]
        used = [state.any(axis=tuple(range(1, state.ndim))) for state in states]
        fresh: Bools = ~np.logical_or.reduce(used)
        return fresh

    def are_comparable(self, execution: RoutedBatch) -> Sequence[bool]:
        """For each request whether it can be compared: all its rows have fresh states."""
        fresh, batch = self.fresh(execution.batch.inputs), execution.batch
        return [bool(fresh[batch.start(index) : end].all()) for index, end in enumerate(batch.ends)]

    def comparable(self, execution: RoutedBatch, indices: Sequence[int]) -> Sequence[int]:
        """Those of the requests that can be compared. The others are counted."""
        can = self.are_comparable(execution)
        kept = [index for index in indices if can[index]]
        with self._counting:
            self._not_comparable += len(indices) - len(kept)
        return kept

    def take_not_comparable(self) -> int:
        """The requests that could not be compared since the last call."""
        with self._counting:
            count, self._not_comparable = self._not_comparable, 0
        return count

    def take_unguarded(self) -> int:
        """The requests since the last call that the compressed model got for their state, in safe mode."""
        with self._counting:
            count, self._unguarded = self._unguarded, 0
        return count

    def _owner(self, execution: RoutedBatch, index: int, rows: Tensor) -> Role | None:
        """The role that wrote the states of these rows of a request; None if that is not known, or there are two."""
        written = execution.batch.requests[index].parameters.get(STATE_OF)
        if written in tuple(Role):
            return Role(written)
        states = [execution.batch.inputs[name][rows] for name in self.inputs.values()]
        owners = {self._owners.owner(digest) for digest in _digests(states, [state.dtype for state in states])}
        return owners.pop() if len(owners) == 1 else None


def _digests(states: Sequence[Tensor], types: Sequence[np.dtype[np.generic]]) -> list[bytes]:
    """The digest of each row of the states, which have their rows first."""
    arrays = [np.ascontiguousarray(state, dtype) for state, dtype in zip(states, types, strict=True)]
    found = []
    for row in range(min(map(len, arrays))):
        digest = blake2b(digest_size=STATE_DIGEST_BYTES)
        for array in arrays:
            digest.update(array[row].tobytes())
        found.append(digest.digest())
    return found
