"""A scope that was latched, held safe or proven harmful is never served by the compressed model without evidence or a
named person's word: under any order of traffic, configurations, deployments, orders, restarts and clocks.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.judgement.comparisons import RowSource, make_comparisons, monitor_specs
from tightrope.monitors import watch
from tightrope.monitors.budget import Budget, build_rules
from tightrope.monitors.decide import Cause, apply_order, deploy
from tightrope.monitors.dependence.units import EvidenceUnit, Independence
from tightrope.monitors.plan import Plan, State, Transition, initial_state
from tightrope.monitors.records import MODEL_SCOPE, Order
from tightrope.monitors.safemode import Input, ModeState, Policy
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.wiring.mode_mapping import drop_mode, move_mode, read_state

POLICY = Policy(min_dwell=50.0, recovery_samples=10.0, flap_window=2000.0, max_flaps=2)
BUDGET = Budget(1e4)

PEOPLE = ("a", "b", MODEL_SCOPE)
"""The groups of people behind the scopes; those of no subgroup stand for the model."""

HARMED = {"c1": (), "c2": ("a",), "c3": ("a", "b"), "c4": (MODEL_SCOPE,)}
"""The people whom each artefact harms: on their rows it always disagrees with the baseline."""

NAMINGS: tuple[dict[str, str], ...] = (
    {"a": "group=a", "b": "group=b"},
    {"a": "group=x", "b": "group=b"},
    {"a": "group=b", "b": "group=y"},
    {"a": "group=ab", "b": "group=ab"},
    {"b": "group=b"},
    {},
)
"""Configurations of the subgroups: the name of the scope of each group, if it has one."""

MONITORS: tuple[tuple[str, ...], ...] = (("disagreement",), ("disagreement", "confidence"), ("confidence",))
"""Configurations of the monitors. The harm trips disagreement only."""

DISAGREEMENT = "disagreement"


class Judgement(RuleBasedStateMachine):
    """A model under judgement, and beside it who has to be protected, as a person would say."""

    def __init__(self) -> None:
        super().__init__()
        self.names = dict(NAMINGS[0])
        self.monitors = MONITORS[0]
        self.factor, self.artefact = 1.0, "c3"
        self.plan = self.build_plan()
        self.state: State = initial_state(self.plan)
        self.source = RowSource()
        self.protected: dict[str, str] = {}
        self.proven: set[tuple[str, str]] = set()
        self.held: set[str] = set()

    def build_plan(self) -> Plan:
        """Build the plan of the current configuration and artefact."""
        scopes = tuple(dict.fromkeys(self.names.values()))
        specs = monitor_specs(*self.monitors, scopes=scopes)
        specs = [replace(spec, limits=spec.limits * self.factor) for spec in specs]
        codes = {name: [who for who, other in self.names.items() if other == name] for name in scopes}
        configuration = {"monitors": list(self.monitors), "factor": self.factor} | {
            f"subgroups.group.values.{name.removeprefix('group=')}": people for name, people in codes.items()
        }
        return Plan(
            model="m",
            baseline_digest="b1",
            compressed_digest=self.artefact,
            scopes=(MODEL_SCOPE, *scopes),
            rates=np.ones(1 + len(scopes)),
            rules=build_rules(specs, POLICY.recovery_ratio),
            budget=BUDGET,
            policy=POLICY,
            tick_rows=16,
            tick_seconds=1e9,
            unit=EvidenceUnit(Independence.REQUEST),
            digest=f"{self.artefact} {configuration}",
            settings=configuration,
        )

    def people(self, scope: str) -> list[str]:
        """List the groups of a scope."""
        return [MODEL_SCOPE] if scope == MODEL_SCOPE else [who for who, name in self.names.items() if name == scope]

    def take(self, transitions: Iterable[Transition]) -> None:
        """Note what the evidence did, as its transitions tell."""
        for t in transitions:
            for who in self.people(t.scope):
                if t.trigger is Input.BREACH:
                    self.proven.add((self.artefact, who))
                    if t.after.safe:
                        self.protected[who] = "evidence"
                elif t.trigger is Input.RECOVERED and t.before.safe and not t.after.safe:
                    alone = len(self.people(t.scope)) == 1 and t.scope != MODEL_SCOPE
                    if alone and self.protected.get(who) == "evidence":
                        assert who not in HARMED[self.artefact], f"{t.scope} returned without evidence"
                    self.protected.pop(who, None)
                    self.proven.discard((self.artefact, who))

    def redeploy(self) -> None:
        """Judge by the current configuration and artefact from now on."""
        before = self.plan.compressed_digest
        self.plan = self.build_plan()
        self.state, transitions = deploy(self.plan, self.state, Cause(self.source.time, reason="another plan"))
        self.take(transitions)
        if self.artefact != before:
            for artefact, who in self.proven:
                if artefact == self.artefact and self.names.get(who, who) not in self.held:
                    self.protected[who] = "evidence"

    @rule(who=st.sampled_from(PEOPLE), n=st.sampled_from([16, 48, 160, 480]))
    def traffic(self, who: str, n: int) -> None:
        """Requests of one group are compared."""
        scopes = self.plan.scopes[1:]
        member = [self.names.get(who) == scope for scope in scopes]
        source = self.source
        rows = make_comparisons(
            n,
            scopes=scopes,
            member=member,
            disagree=who in HARMED[self.artefact],
            offset=source.offset + np.arange(n),
            time=source.time + np.arange(n),
        )
        source.offset, source.time = source.offset + n, source.time + n
        rows = replace(rows, compressed_digest=self.artefact)
        self.state, transitions = watch.step(self.plan, self.state, rows)
        self.take(transitions)

    @rule(naming=st.sampled_from(NAMINGS))
    def rename_subgroups(self, naming: dict[str, str]) -> None:
        """Subgroups are renamed, merged or removed, names change hands, and all of it back again."""
        self.names = dict(naming)
        self.redeploy()

    @rule(monitors=st.sampled_from(MONITORS))
    def switch_monitors(self, monitors: tuple[str, ...]) -> None:
        """Monitors are switched on and off."""
        self.monitors = monitors
        self.redeploy()

    @rule(factor=st.sampled_from([0.5, 1.0, 2.0]))
    def change_limits(self, factor: float) -> None:
        """The limits change."""
        self.factor = factor
        self.redeploy()

    @rule(artefact=st.sampled_from(sorted(HARMED)))
    def deploy_artefact(self, artefact: str) -> None:
        """An artefact is deployed, a new one or one that served before."""
        self.artefact = artefact
        self.redeploy()

    @rule()
    def restart(self) -> None:
        """The judge ends, and another one continues from its snapshot."""
        self.state = record_codec.decode_state(record_codec.encode_state(self.state))

    @rule(seconds=st.sampled_from([60.0, 3000.0, -3000.0, 1e9, -1e9]))
    def move_clock(self, seconds: float) -> None:
        """Time passes, or a clock jumps."""
        self.source.time += seconds

    @rule(order=st.sampled_from([Input.FORCE_SAFE, Input.FORCE_NORMAL, Input.RELEASE]), data=st.data())
    def order(self, order: Input, data: st.DataObject) -> None:
        """A named person gives an order."""
        scope = data.draw(st.sampled_from(self.plan.scopes))
        self.state, transition = apply_order(
            self.plan, self.state, Order("1", self.source.time, "m", scope, order, "eve", "a reason")
        )
        was_held = scope in self.held
        (self.held.add if order is Input.FORCE_NORMAL else self.held.discard)(scope)
        for who in self.people(scope):
            if order is Input.FORCE_SAFE:
                self.protected[who] = self.protected.get(who, "order")
            elif order is Input.FORCE_NORMAL:
                self.protected.pop(who, None)
                self.proven.discard((self.artefact, who))
            elif was_held and (self.artefact, who) in self.proven:
                self.protected[who] = "evidence"
            elif self.protected.get(who) == "order" or DISAGREEMENT not in self.monitors:
                self.protected.pop(who, None)
                self.proven.discard((self.artefact, who))
        assert transition.actor == "eve"

    def orphans(self) -> list[str]:
        """List the scopes whose modes wait for a person."""
        return sorted(self.state.retained.unmapped)

    @precondition(lambda self: self.orphans() and len(self.plan.scopes) > 1)
    @rule(data=st.data(), drop=st.booleans())
    def map_modes(self, data: st.DataObject, *, drop: bool) -> None:
        """A named person gives the mode of a lost scope to another one, or drops it."""
        old = data.draw(st.sampled_from(self.orphans()))
        new = data.draw(st.sampled_from(self.plan.scopes[1:]))
        store = SqliteStore(Path(":memory:"))
        store.save("log", {}, {"m": record_codec.encode_state(self.state)}, [])
        if drop:
            drop_mode(store, self.plan, old, "eve", "the group is gone")
        else:
            move_mode(store, self.plan, old, new, "eve", "another name")
            self.held.discard(new)
        read = read_state(store, "m")
        store.close()
        assert read is not None
        self.state = read
        self.held.discard(old)
        spoken_for = set(PEOPLE) - {MODEL_SCOPE} - set(self.people(new) if not drop else ())
        for who in spoken_for:  # the person said which group it was
            self.protected.pop(who, None)
            self.proven = {(artefact, other) for artefact, other in self.proven if other != who}

    @invariant()
    def protected_people_get_the_baseline(self) -> None:
        """Neither a new name, nor another artefact, nor a restart serves them the compressed model."""
        safe = watch.build_routes(self.plan, self.state).safe
        for who in self.protected:
            assert MODEL_SCOPE in safe or self.names.get(who, who) in safe, (who, self.protected[who])

    @invariant()
    def latched_scope_is_safe(self) -> None:
        """A latched mode is either that of a scope, or waits for a person."""
        safe = watch.build_routes(self.plan, self.state).safe
        for scope, mode in zip(self.plan.scopes, self.state.modes, strict=True):
            assert mode.state is not ModeState.LATCHED or scope in safe


Judgement.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestAnyHistory = Judgement.TestCase
