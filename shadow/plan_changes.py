"""Events of a model that is judged by another plan from now on: settings that changed, and modes without a scope."""

import logging
from collections.abc import Iterator, Mapping

from tightrope.monitors.history.retained import changed_settings
from tightrope.monitors.plan import Plan, State, is_armed, judged_settings, withholds_anew
from tightrope.monitors.records import MODEL_SCOPE, Event, Stream
from tightrope.monitors.watched_groups.plans import judged_plan

log = logging.getLogger(__name__)

STAYS_ARMED = (
    "armed, although it is not written: the model was armed before, or may have been; write mode: armed or advisory"
)
"""The warning about a model whose mode is that of its state."""

OTHER_ORDER = "in another order: "
"""Before the digest of a state whose scopes are those of the plan in another order."""

MAX_NAMED_CHANGES = 5
"""Changed settings that the reason names; the detail has all of them."""


def is_changed(plan: Plan, state: State) -> bool:
    """Tell whether a state is of another plan or statement, and warn of a mode that the state alone has."""
    plan = judged_plan(plan, state)
    if is_armed(plan, state) and not plan.armed:
        log.warning("models.%s.mode: %s", plan.model, STAYS_ARMED)
    of_another = (state.digest, state.scopes) != (plan.digest, plan.scopes)
    return of_another or withholds_anew(plan, state) or state.retained.settings != judged_settings(plan, state)


def change_events(plan: Plan, old: State, state: State, time: float, host: str) -> Iterator[Event]:
    """Yield the events of a change from the state ``old`` to ``state``, which is that of ``plan``."""
    recorded = bool(old.retained.settings)  # a state of an earlier version has none, and its migration is told
    changes = changed_settings(old.retained.settings, state.retained.settings) if recorded else {}
    same_pair = (old.baseline_digest, old.compressed_digest) == (plan.baseline_digest, plan.compressed_digest)
    anew = (old.digest, old.scopes) != (plan.digest, plan.scopes)
    identity = f"{plan.model}/{state.log}/{state.epoch}"
    if changes or (recorded and anew and same_pair):
        detail = {
            "changes": changes,
            "evidence": "starts anew" if anew else "kept",
            "plan_digest": {"before": old.digest.removeprefix(OTHER_ORDER), "after": plan.digest},
            "baseline_digest": plan.baseline_digest,
            "compressed_digest": plan.compressed_digest,
            "samples": old.seen[Stream.COMPARISONS],
            "switched_off": {scope: list(names) for scope, names in state.retained.disabled.items()},
            "host": host,
        }
        described = _described(changes, reordered=old.digest.startswith(OTHER_ORDER))
        reason = f"{described}; the evidence {'starts anew' if anew else 'is kept'}"
        yield Event(
            f"{identity}/configuration", time, plan.model, "configuration-changed", MODEL_SCOPE, "judge", reason, detail
        )
    for scope, record in state.retained.unmapped.items():
        if scope not in old.retained.unmapped:
            yield Event(
                f"{identity}/orphan/{scope}",
                time,
                plan.model,
                "mode-orphaned",
                scope,
                "judge",
                f"{record.mode.state}, and no longer in the configuration: the baseline answers the whole model until "
                "`tightrope modes move` or `tightrope modes drop`",
                {"state": str(record.mode.state), "held": record.mode.held, "monitors": list(record.monitors)},
            )


def _described(changes: Mapping[str, Mapping[str, object]], *, reordered: bool) -> str:
    if not changes and reordered:
        return "the subgroups are in another order"
    if not changes:
        return "another version of Tightrope reads the same settings"
    shown = [f"{name}: {change['before']} -> {change['after']}" for name, change in changes.items()]
    more = len(shown) - MAX_NAMED_CHANGES
    return "; ".join(shown[:MAX_NAMED_CHANGES] + ([f"{more} more"] if more > 0 else []))
