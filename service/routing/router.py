"""Chooses the role that answers a request, by the modes that the judges published.

Above the modes lies this gateway's own blindness: while it is set for a model, the baseline answers every request; also
while too few requests are kept.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from tightrope.monitors.added_scopes.added_scope import AddedScope
from tightrope.monitors.added_scopes.host_scopes import scope_of_host
from tightrope.monitors.hunter.columns import InputColumn, features_of
from tightrope.monitors.records import MODEL_SCOPE, Bools, Order, Role, Routes, Tensors
from tightrope.monitors.safemode import Input
from tightrope.monitors.scopes import following_scopes
from tightrope.service.adapters.ports import NotQualifiedError

MAX_CONFIRMED_ORDERS = 1024
"""Confirmed orders that are remembered: several operators may each wait for an order of their own."""

NOT_QUALIFIED = "not qualified: {}, the baseline answers"
STARVED_MODEL = "starved: too few requests are kept for the judge, the baseline answers"

UNKNOWN_MODES = "unknown: no judge has published the modes yet, the baseline answers"


class RoutableBatch(Protocol):
    """The rows of n requests, concatenated."""

    @property
    def ends(self) -> Sequence[int]:
        """The end of each request's rows, shape (n,)."""

    @property
    def member(self) -> Bools:
        """Subgroup membership of each row, shape (rows, subgroups). Read only if a subgroup is in safe mode."""

    @property
    def inputs(self) -> Tensors:
        """The inputs of the rows. Read only if a found group is in safe mode."""


@dataclass(frozen=True, slots=True)
class _RouteTable:
    """One model's routes, prepared for look-up; immutable, replaced as a whole. Scopes in ``following`` follow a safe
    one; ``added`` are the found groups that are safe; ``asked`` are the classes that are asked again.
    """

    routes: Routes
    following: tuple[str, ...]
    model_is_safe: bool
    safe: Bools
    any_safe: bool
    added: tuple[AddedScope, ...]
    asked: frozenset[int] = frozenset()


class Router:
    """Holds the routes of every model. Reads take no lock; writes replace a whole table.

    ``scopes`` lists each model's subgroups. A ``cautious`` router sends every request to the baseline until a judge has
    published the modes. ``on_forced`` is called with every order that `force` carries out. ``always_baseline`` are the
    scopes of each model that the configuration gives to the baseline. While a declared value of an attribute is in safe
    mode, rows without one (``attribute=other``) follow it: a parameter left out must not lead to the compressed model.
    ``hosts`` are the classes of the hosts that run the compressed model of each: while that class is in safe mode, the
    baseline answers here, and elsewhere it may not. ``askable`` are the models whose classes can be asked again here;
    the baseline answers every request to others that are narrowed to classes.
    """

    def __init__(
        self,
        scopes: dict[str, tuple[str, ...]],
        *,
        cautious: bool = False,
        always_baseline: Mapping[str, Sequence[str]] | None = None,
        hosts: Mapping[str, str] | None = None,
        askable: Collection[str] = (),
    ) -> None:
        self._scopes, self._askable = scopes, frozenset(askable)
        self._always_baseline, self._hosts = always_baseline or {}, hosts or {}
        self._writing = threading.Condition()
        self._blindness = dict.fromkeys(scopes, "")
        self._unqualified = dict.fromkeys(scopes, "")
        self._distrust = ""
        self._missing_judges = dict.fromkeys(scopes, "")
        self._blind_scopes: dict[str, frozenset[str]] = dict.fromkeys(scopes, frozenset())
        self._starved: dict[str, frozenset[str]] = dict.fromkeys(scopes, frozenset())
        safe = (MODEL_SCOPE,) if cautious else ()
        self._tables = {name: self._table(Routes(name, -1, safe, {})) for name in scopes}
        self._confirmed: deque[str] = deque(maxlen=MAX_CONFIRMED_ORDERS)
        self.on_forced: Callable[[Order], None] = lambda _: None

    def route(self, model: str, batch: RoutableBatch) -> tuple[list[Role], frozenset[int]]:
        """The role for each request of a batch, and the classes that are asked again of the baseline when the
        compressed model says them: both of the same modes, so that no answer slips through a change of them. One row in
        a safe scope sends the whole request to the baseline.
        """
        table, ends = self._tables[model], batch.ends
        if table.model_is_safe or not table.any_safe:
            return [Role.BASELINE if table.model_is_safe else Role.COMPRESSED] * len(ends), table.asked
        safe: list[bool] = self._safe_rows(table, batch).tolist()
        spans = zip((0, *ends[:-1]), ends, strict=True)
        return [Role.BASELINE if True in safe[a:b] else Role.COMPRESSED for a, b in spans], table.asked

    def asked_classes(self, model: str) -> frozenset[int]:
        """The classes of a model that are asked again of the baseline when the compressed model says them."""
        return self._tables[model].asked

    def fall_back_with_model(self, model: str, batch: RoutableBatch) -> list[bool]:
        """Whether each request of a batch goes to the baseline only because the whole model is in safe mode: no row of
        it is in a safe subgroup. A model that is not qualified gets none back.
        """
        table, ends = self._tables[model], batch.ends
        if self._unqualified[model]:
            return [False] * len(ends)
        if not table.model_is_safe or not table.any_safe:
            return [table.model_is_safe] * len(ends)
        safe: list[bool] = self._safe_rows(table, batch).tolist()
        return [True not in safe[a:b] for a, b in zip((0, *ends[:-1]), ends, strict=True)]

    def _safe_rows(self, table: _RouteTable, batch: RoutableBatch) -> Bools:
        """Mask the rows that are in a safe subgroup, or in a safe group that was found."""
        safe = np.any(batch.member & table.safe, axis=1)
        for added in table.added:
            columns = [InputColumn(each.input, each.index, "") for each in added.ranges]
            values = features_of(columns, batch.inputs, len(safe))
            safe |= added.members(values, batch.member, self._scopes[table.routes.model])
        return np.asarray(safe)

    def routes(self, model: str) -> Routes:
        """The current routes of a model; their epoch is -1 until some are published."""
        return self._tables[model].routes

    def following(self, model: str) -> tuple[str, ...]:
        """The scopes of a model that the baseline answers only because they follow a safe one."""
        return self._tables[model].following

    def baseline_scopes(self, model: str) -> frozenset[str]:
        """The scopes of a model whose requests the baseline answers now, for any reason."""
        table = self._tables[model]
        safe = {scope for scope, is_safe in zip(self._scopes[model], table.safe.tolist(), strict=True) if is_safe}
        return frozenset({*safe, *(each.scope for each in table.added), *([MODEL_SCOPE] * table.model_is_safe)})

    def unseen_scopes(self, model: str) -> frozenset[str]:
        """The scopes of a model that the baseline answers because their rows are not judged, or too few are kept."""
        return self._blind_scopes[model] | self._starved[model]

    def shown_routes(self, model: str) -> Routes:
        """The current routes of a model with the scopes that follow a safe one; a scope that follows none but ordered
        ones is ordered, too.
        """
        table = self._tables[model]
        routes, following = table.routes, table.following
        unordered = (scope for scope in routes.safe if scope not in routes.ordered)
        others = {
            *following_scopes(self._scopes[model], (*unordered, *self._blind_scopes[model], *self._starved[model]))
        }
        ordered = (*routes.ordered, *(scope for scope in following if scope not in others))
        return replace(routes, safe=(*routes.safe, *following), ordered=ordered)

    def apply(self, routes: Routes) -> bool:
        """Replace a model's routes, unless the new ones are older. Returns False if the model is not served here.

        Their order is confirmed only if they are in force now: routes that are refused, or that other modes of the same
        epoch precede, have moved nothing.
        """
        if routes.model not in self._tables:
            return False
        with self._writing:
            if routes.epoch > self._tables[routes.model].routes.epoch:
                self._tables[routes.model] = self._table(routes)
            in_force = self._tables[routes.model].routes
            if routes.order and (routes.epoch, {*routes.safe}) == (in_force.epoch, {*in_force.safe}):
                self._confirmed.append(routes.order)
            self._writing.notify_all()
        return True

    def forget_modes(self) -> None:
        """Send every request to the baseline until a judge has published the modes: the topic that held them was made
        anew, and epochs of another log say nothing about the new ones.
        """
        with self._writing:
            self._tables = {name: self._table(Routes(name, -1, (MODEL_SCOPE,), {})) for name in self._tables}

    def keep_safe(self, model: str, scopes: Collection[str]) -> None:
        """Send these scopes of a model to the baseline, too, until the judge publishes newer routes."""
        with self._writing:
            current = self._tables[model].routes
            more = tuple(scope for scope in scopes if scope not in current.safe)
            asked = () if MODEL_SCOPE in scopes else current.asked
            self._tables[model] = self._table(replace(current, safe=(*current.safe, *more), asked=asked))

    def set_blind(self, model: str, reason: str) -> None:
        """Send every request of a model to the baseline, above its modes, until the reason is empty again."""
        with self._writing:
            was_blind, self._blindness[model] = bool(self._blindness[model]), reason
            if was_blind is not bool(reason):
                self._tables[model] = self._table(self._tables[model].routes)

    def set_unqualified(self, model: str, reason: str) -> None:
        """Send every request of a model to the baseline, above its modes and orders, until the reason is empty again:
        no statement lets the compressed model serve.
        """
        with self._writing:
            self._unqualified[model] = reason
            self._tables[model] = self._table(self._tables[model].routes)

    def require_qualified(self, model: str, role: Role) -> None:
        """Check that a role may answer, also where the other one fails.

        Raises:
            NotQualifiedError: for the compressed model, while no statement lets it serve.
        """
        if role is Role.COMPRESSED and (reason := self._unqualified[model]):
            raise NotQualifiedError(f"the compressed model is not qualified: {reason}")

    def unqualified(self, model: str) -> str:
        """The reason why the compressed model may not serve; empty if it may."""
        return self._unqualified[model]

    def set_judge_missing(self, model: str, reason: str) -> None:
        """Send every request of a model to the baseline, above its modes, until the reason is empty again: no judge of
        the plan that is served here is heard.
        """
        with self._writing:
            was_missing, self._missing_judges[model] = bool(self._missing_judges[model]), reason
            if was_missing is not bool(reason):
                self._tables[model] = self._table(self._tables[model].routes)

    def judge_missing(self, model: str) -> str:
        """The reason why no judge of the plan that is served here is heard; empty if one is."""
        return self._missing_judges[model]

    def set_distrust(self, reason: str) -> None:
        """Send every request of every model to the baseline, above all modes, until the reason is empty again: what
        this process reads and writes may not reach the others.
        """
        with self._writing:
            self._distrust = reason
            self._tables = {name: self._table(table.routes) for name, table in self._tables.items()}

    @property
    def distrust(self) -> str:
        """The reason why the modes are not to be trusted; empty if they are."""
        return self._distrust

    def set_blind_scopes(self, model: str, scopes: Iterable[str]) -> None:
        """Send the requests of these subgroups of a model, and of no others, to the baseline above its modes."""
        with self._writing:
            self._blind_scopes[model] = frozenset(scopes)
            self._tables[model] = self._table(self._tables[model].routes)

    def set_starved(self, model: str, scopes: Iterable[str]) -> None:
        """Send the requests of these scopes of a model to the baseline above its modes: too few of them are kept."""
        with self._writing:
            self._starved[model] = frozenset(scopes)
            self._tables[model] = self._table(self._tables[model].routes)

    def blindness(self, model: str) -> str:
        """The reason why the baseline answers every request of a model above its modes; empty if it does not."""
        return self._missing_judges[model] or self._blindness[model]

    def explain(self, model: str) -> str:
        """The reason why the modes of a model do not say which role answers; empty if they do."""
        if self._distrust:
            return f"{self._distrust}: the baseline answers"
        if reason := self._unqualified[model]:
            return NOT_QUALIFIED.format(reason)
        if reason := self.blindness(model):
            return f"blind: {reason}, the baseline answers"
        if MODEL_SCOPE in self._starved[model]:
            return STARVED_MODEL
        routes = self.routes(model)
        return UNKNOWN_MODES if routes.epoch < 0 and MODEL_SCOPE in routes.safe else ""

    def wait_confirmed(self, order: Order, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds for the judge to carry out an order. Returns whether it has."""
        with self._writing:
            return self._writing.wait_for(lambda: order.id in self._confirmed, timeout)

    def force(self, order: Order) -> None:
        """Carry out an order on this replica alone, since no judge answered; the judge's next routes replace this."""
        with self._writing:
            current = self._tables[order.model].routes
            others = tuple(scope for scope in current.safe if scope != order.scope)
            current = replace(current, asked=()) if order.scope == MODEL_SCOPE else current
            if order.order == Input.FORCE_SAFE:
                self._tables[order.model] = self._table(replace(current, safe=(*others, order.scope)))
            elif order.order == Input.FORCE_NORMAL:
                self._tables[order.model] = self._table(replace(current, safe=others))
        self.on_forced(order)

    def _table(self, routes: Routes) -> _RouteTable:
        overlay = self._blind_scopes[routes.model] | self._starved[routes.model]
        unsafe = (*routes.safe, *sorted(overlay))
        following = following_scopes(self._scopes[routes.model], unsafe)
        safe = self._mask(routes.model, (*unsafe, *following, *self._always_baseline.get(routes.model, ())))
        above = self._distrust or self._unqualified[routes.model] or self.blindness(routes.model)
        asked = routes.asked if routes.model in self._askable and MODEL_SCOPE not in overlay else ()
        is_safe = (MODEL_SCOPE in unsafe and not asked) or bool(above)
        is_safe |= scope_of_host(self._hosts.get(routes.model, ""), routes.added) in unsafe
        added = tuple(each for each in routes.added if each.scope in unsafe and not each.is_host)
        is_safe |= not {scope for each in added for scope in each.within} <= {*self._scopes[routes.model]}
        return _RouteTable(routes, following, is_safe, safe, bool(safe.any()) or bool(added), added, frozenset(asked))

    def _mask(self, model: str, safe: Iterable[str]) -> Bools:
        chosen = set(safe)
        return np.array([scope in chosen for scope in self._scopes[model]], dtype=bool)
