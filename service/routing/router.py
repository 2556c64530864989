"""Which role answers a request: the modes that the judge decided, as this replica knows them."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from tightrope.monitors.records import MODEL_SCOPE, Bools, Order, Role, Routes
from tightrope.monitors.safemode import Input

MOST_CONFIRMED = 1024
"""Orders whose confirmation is remembered: operators may give several at a time, and each waits for its own."""


class Rows(Protocol):
    """Rows of n requests, one below the other."""

    @property
    def ends(self) -> Sequence[int]:
        """Where the rows of each request end."""

    @property
    def member(self) -> Bools:
        """Which row is in which subgroup, (rows, subgroups); asked only when some are safe."""


@dataclass(frozen=True, slots=True)
class _Table:
    """One model's routes, ready to be looked up: swapped whole, never changed."""

    routes: Routes
    everything: bool
    safe: Bools
    some: bool


class Router:
    """Holds the routes of every model. Reads take no lock; writes only ever replace a table.

    A ``cautious`` one has the baseline answer until it is told the routes, or that there are none. ``forced`` hears of
    every order that was carried out here because the judge did not answer.
    """

    def __init__(self, scopes: dict[str, tuple[str, ...]], *, cautious: bool = False) -> None:
        self._scopes = scopes
        self._writing = threading.Condition()
        safe = (MODEL_SCOPE,) if cautious else ()
        self._tables = {name: self._table(Routes(name, -1, safe, {})) for name in scopes}
        self._confirmed: deque[str] = deque(maxlen=MOST_CONFIRMED)
        self.forced: Callable[[Order], None] = lambda _: None

    def roles(self, model: str, rows: Rows) -> list[Role]:
        """Who answers each of n requests. One row in a safe scope is enough."""
        table, ends = self._tables[model], rows.ends
        if table.everything or not table.some:
            return [Role.BASELINE if table.everything else Role.COMPRESSED] * len(ends)
        safe: list[bool] = np.any(rows.member & table.safe, axis=1).tolist()
        starts = (0, *ends[:-1])
        return [Role.BASELINE if True in safe[a:b] else Role.COMPRESSED for a, b in zip(starts, ends, strict=True)]

    def spared(self, model: str, member: Bools) -> bool:
        """Whether a request is the baseline's only because every one is: no row of it is in a subgroup that is safe
        itself.
        """
        table = self._tables[model]
        return table.everything and not (table.some and bool((member & table.safe).any()))

    def routes(self, model: str) -> Routes:
        """What this replica goes by."""
        return self._tables[model].routes

    def apply(self, routes: Routes) -> bool:
        """Go by these from now on, unless they are older than what is known; False when the model is not served
        here.
        """
        if routes.model not in self._tables:
            return False
        with self._writing:
            if routes.epoch > self._tables[routes.model].routes.epoch:
                self._tables[routes.model] = self._table(routes)
            if routes.order:
                self._confirmed.append(routes.order)
            self._writing.notify_all()
        return True

    def trust(self) -> None:
        """All routes that there are have been told: a model without any is in its normal state."""
        with self._writing:
            for name, table in self._tables.items():
                if table.routes.epoch < 0:
                    self._tables[name] = self._table(Routes(name, -1, (), {}))

    def confirmed(self, order: Order, timeout: float) -> bool:
        """Whether the judge carried out an order within ``timeout`` seconds."""
        with self._writing:
            return self._writing.wait_for(lambda: order.id in self._confirmed, timeout)

    def force(self, order: Order) -> None:
        """Carry out an order here and now, because the judge did not answer; its next routes replace this."""
        with self._writing:
            known = self._tables[order.model].routes
            others = [scope for scope in known.safe if scope != order.scope]
            if order.order == Input.FORCE_SAFE:
                self._tables[order.model] = self._table(replace(known, safe=(*others, order.scope)))
            elif order.order == Input.FORCE_NORMAL:
                self._tables[order.model] = self._table(replace(known, safe=tuple(others)))
        self.forced(order)

    def _table(self, routes: Routes) -> _Table:
        safe = self._mask(routes.model, routes.safe)
        return _Table(routes, MODEL_SCOPE in routes.safe, safe, bool(safe.any()))

    def _mask(self, model: str, safe: Iterable[str]) -> Bools:
        chosen = set(safe)
        return np.array([scope in chosen for scope in self._scopes[model]], dtype=bool)
