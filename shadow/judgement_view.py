"""A readable view of the judgement, for status pages and metrics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from tightrope.monitors.migration import harm_of_pair
from tightrope.monitors.plan import Plan, State, initial_state, is_armed, withholds_anew
from tightrope.monitors.records import Event, Stream
from tightrope.monitors.status.groups import GroupStatus, found_groups
from tightrope.monitors.status.progress import JudgementProgress, label_coverage
from tightrope.monitors.status.reliability import ModelReliability, model_reliability
from tightrope.monitors.status.standing import ModelStanding, model_standing
from tightrope.monitors.status.verdicts import leading_verdicts, verdicts
from tightrope.monitors.verdict import Verdict
from tightrope.monitors.watched_groups.orders import group_refusal
from tightrope.monitors.watched_groups.plans import judged_plan


class JudgementView:
    """Plans and states by model. The judge replaces ``states`` as a whole in each round; ``on_event`` is told each
    event of the judge once it is saved.
    """

    def __init__(self, plans: Mapping[str, Plan], on_event: Callable[[Event], None] = lambda _: None) -> None:
        self.plans = plans
        self._on_event = on_event
        self.states: Mapping[str, State] = {}

    def report(self, events: Sequence[Event]) -> None:
        """Tell what the judge decided."""
        for event in events:
            self._on_event(event)

    def unproven_scopes(self, plan: Plan) -> tuple[str, ...]:
        """The scopes that a plan's pair is known to harm, and those that a new statement withholds; the whole model
        stands for one that is not in the plan.
        """
        state = self.states.get(plan.model)
        plan = judged_plan(plan, state) if state else plan
        harmed = harm_of_pair(plan, state) if state and is_armed(plan, state) else {}
        withheld = plan.withholding.scopes if state is None or withholds_anew(plan, state) else ()
        return tuple(dict.fromkeys(each if each in plan.scopes else plan.scopes[0] for each in (*harmed, *withheld)))

    def is_armed(self, model: str) -> bool:
        """Whether a breach of a model routes requests to its baseline."""
        state = self.states.get(model)
        return is_armed(self.plans[model], state) if state else self.plans[model].armed

    def verdicts(self, model: str) -> Sequence[Verdict]:
        """The current verdict of each monitor in each scope."""
        state = self.states.get(model)
        return verdicts(judged_plan(self.plans[model], state), state) if state else []

    def leading_verdicts(self, model: str, complete: int) -> Sequence[Verdict]:
        """The current verdicts on the worst ``complete`` scopes, and on every other scope those that lead."""
        state = self.states.get(model)
        return leading_verdicts(judged_plan(self.plans[model], state), state, complete) if state else []

    def standing(self, model: str) -> ModelStanding | None:
        """The modes of a model's scopes; None until its judgement is known."""
        state = self.states.get(model)
        return model_standing(judged_plan(self.plans[model], state), state) if state else None

    def groups(self, model: str) -> Sequence[GroupStatus]:
        """The undeclared groups in which harm is found."""
        state = self.states.get(model)
        return found_groups(self.plans[model], state) if state else []

    def reliability(self, model: str) -> ModelReliability | None:
        """The reliability curves of both models in every scope; None without labels or a confidence."""
        state = self.states.get(model) or initial_state(self.plans[model])
        return model_reliability(judged_plan(self.plans[model], state), state)

    def group_refusal(self, model: str, order: str, scope: str) -> str:
        """The reason for which an order about a found group cannot be carried out; empty if it can."""
        state = self.states.get(model)
        return group_refusal(self.plans[model], state, order, scope) if state else "nothing is judged yet"

    def progress(self, model: str) -> JudgementProgress:
        """Counts of a model's judgement: judged rows, rows of the open tick, stale rows, labels, and rows by scope."""
        state = self.states.get(model) or initial_state(self.plans[model])
        counts = zip(state.scopes, state.compared, state.disagreed.tolist(), state.errors, strict=True)
        refused = {str(role): rows[:, 1].tolist() for role, rows in state.refused.items()}
        open_tick = state.pending.get(Stream.COMPARISONS)
        return {
            "seen": state.seen[Stream.COMPARISONS],
            "pending": 0 if open_tick is None else len(open_tick),
            "stale": state.stale,
            "labels": dict(state.labels),
            "coverage": label_coverage(state),
            "autocorrelation": state.lag.correlation,
            "dependent": state.dependence.warned,
            "noise": {"asked_twice": int(state.noise[0, 0]), "contradictions": state.noise[0, 1].item()},
            "repeats": {
                "uncounted": dict(state.repeats.uncounted),
                "popular": [asdict(each) for each in state.repeats.popular],
            },
            "scopes": {
                scope: {
                    "compared": int(rows),
                    "disagreed": others,
                    "errors": int(errors),
                    "refused": {role: each[index] for role, each in refused.items()},
                }
                for index, (scope, rows, others, errors) in enumerate(counts)
            },
        }
