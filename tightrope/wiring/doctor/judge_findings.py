"""Findings about each model's judge: whether one lives, whether it judges what the gateways serve, and its epochs."""

from collections.abc import Iterator

from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.adapters.wire.bounds import MAX_EPOCH_STEP
from tightrope.wiring.doctor.cluster_view import ClusterView, ControlView, SeenHeartbeat
from tightrope.wiring.doctor.finding import Finding, Severity

RECENT_SECONDS = 60.0
"""Age of the traffic notes and heartbeats that describe the present, by the brokers' clock."""

MIN_KEPT = 20
"""Kept rows after which a judge must have judged some."""

DIGEST_LENGTH = 12

UNKNOWN_PLAN = "unknown (an older release)"


def judge_findings(view: ClusterView) -> Iterator[Finding]:
    """All findings about judges, model by model."""
    if view.control is None:
        return
    for model in view.models:
        yield from _judges(view.control, model)
        yield from _plans(view, view.control, model)
        yield from _progress(view, view.control, model)
        yield from _epochs(view, view.control, model)
        yield from _modes(view.control, model)
    strangers = sorted({h.model for h in view.control.heartbeats if h.live} - {*view.models})
    if strangers:
        text = f"judges of models that CONFIG does not have: {', '.join(strangers[:5])}."
        remedy = "if they belong to another fleet, give each fleet a bus.kafka.prefix of its own"
        yield Finding(Severity.ACT, "models", text, remedy)
    if view.control.unreadable:
        text = (
            f"{view.control.unreadable} of the newest records cannot be read: another program or version writes there."
        )
        yield Finding(Severity.ACT, topic(CONTROL), text, "find their writer with `tightrope tail CONFIG control`")


def _judges(control: ControlView, model: str) -> Iterator[Finding]:
    own = [heartbeat for heartbeat in control.heartbeats if heartbeat.model == model]
    live = {heartbeat.judge for heartbeat in own if heartbeat.live}
    if len(live) == 1:
        judged = _judged_rows(own)
        yield Finding(Severity.FINE, model, f"one judge lives; {judged} rows judged in the records looked at.")
    elif live:
        text = f"{len(live)} judges judge it at the same time; their modes overwrite each other."
        yield Finding(Severity.ACT, model, text, "stop all but one fleet's, or give each fleet its own prefix")
    else:
        last = max((heartbeat.time for heartbeat in own), default=None)
        when = "and there is no earlier one" if last is None else f"the last one {_age(control.ended - last)} ago"
        text = f"no judge: no heartbeat came within {control.listened:.0f} s, {when}."
        remedy = "start a judge with `tightrope judge CONFIG`; the baseline answers until one is heard"
        yield Finding(Severity.BLIND, model, text, remedy)


def _plans(view: ClusterView, control: ControlView, model: str) -> Iterator[Finding]:
    judged = {heartbeat.plan for heartbeat in control.heartbeats if heartbeat.live and heartbeat.model == model}
    served = {note.plan for note in view.notes or () if note.model == model and _is_recent(note.time, control)}
    for plan in sorted(served - judged) if judged else ():
        text = (
            f"gateways serve plan {short(plan)}, but the judge judges {_listed(judged)}: their rows are no evidence,"
            " and the baseline answers there."
        )
        remedy = "give all members the same model files and subgroups, and restart those that have others"
        yield Finding(Severity.BLIND, model, text, remedy)
    own = (view.plans or {}).get(model)
    if own is not None and judged and own not in judged:
        text = f"the files of this CONFIG make plan {short(own)}, but the judge judges {_listed(judged)}."
        yield Finding(Severity.ACT, model, text, "run the doctor with the members' CONFIG and files, or upgrade them")
    elif judged and not served - judged:
        members = ["the judge's", *(["the gateways'"] if served else []), *(["CONFIG's"] if own else [])]
        yield Finding(Severity.FINE, model, f"the plan is {_listed(judged)}: {', '.join(members)}.")


def _progress(view: ClusterView, control: ControlView, model: str) -> Iterator[Finding]:
    """Kept rows of a judged plan must lead to judged rows."""
    since = control.newest - RECENT_SECONDS
    heartbeats = [h for h in control.heartbeats if h.model == model and h.time >= since]
    judged = {heartbeat.plan for heartbeat in heartbeats}
    notes = [note for note in view.notes or () if note.model == model and note.time >= since]
    kept = sum(note.kept for note in notes if note.plan in judged)
    if kept >= MIN_KEPT and heartbeats and not _judged_rows(heartbeats):
        text = f"gateways kept {kept} rows within the last minute, and no row was judged."
        yield Finding(Severity.BLIND, model, text, "look at the workers: members, lag, their log and parked records")


def _judged_rows(heartbeats: list[SeenHeartbeat]) -> int:
    """The rows that judges have counted between their first and their last heartbeat of these."""
    counts: dict[str, list[int]] = {}
    for heartbeat in heartbeats:
        counts.setdefault(heartbeat.judge, []).append(heartbeat.judged)
    return sum(max(judged) - min(judged) for judged in counts.values())


def _epochs(view: ClusterView, control: ControlView, model: str) -> Iterator[Finding]:
    epochs = [routes.epoch for routes in control.routes if routes.model == model]
    snapshot = (view.snapshots or {}).get(model)
    if epochs and epochs[-1] < max(epochs):
        text = f"the epochs of its modes went back from {max(epochs)} to {epochs[-1]}: gateways ignore the newer modes."
        remedy = "restart the judge, which continues after the highest epoch; find who published the highest one"
        yield Finding(Severity.BLIND, model, text, remedy)
    if snapshot is None:
        return
    if snapshot.error:
        remedy = "the next judge begins in safe mode; restore the snapshot, or release the scopes"
        yield Finding(Severity.ACT, model, f"its latest snapshot cannot be read: {snapshot.error}.", remedy)
    elif epochs and epochs[-1] > snapshot.epoch + MAX_EPOCH_STEP:
        text = f"the modes have epoch {epochs[-1]}, the judge's snapshot {snapshot.epoch}."
        yield Finding(Severity.ACT, model, text, "another program wrote to the control topic: sign records, set ACLs")
    ids = {name: found.id for name, found in (view.topics or {}).items() if found.id}
    others = sorted(name for name, id_ in snapshot.topics.items() if id_ and ids.get(name, id_) != id_)
    if others:
        text = f"its snapshot is of other topics than these: {', '.join(others)} was made anew."
        yield Finding(Severity.ACT, model, text, "restart the judge: it begins again in safe mode")


def _modes(control: ControlView, model: str) -> Iterator[Finding]:
    latest = [routes for routes in control.routes if routes.model == model][-1:]
    for routes in latest:
        latched = [scope for scope, state in routes.states.items() if state == "latched"]
        if latched:
            remedy = "mend the model, then `release` it; see TightropeLatched in the runbook"
            yield Finding(Severity.ACT, model, f"{', '.join(latched)} latched in safe mode.", remedy)
        elif routes.safe:
            yield Finding(Severity.NOTE, model, f"the baseline answers {', '.join(routes.safe)}: safe mode.")


def plans_and_epochs(view: ClusterView) -> dict[str, dict[str, object]]:
    """The plans of all members side by side, and the epochs of the modes and of the snapshot, by model."""
    control, notes, snapshots = view.control or ControlView(), view.notes or (), view.snapshots or {}
    return {
        model: {
            "plan_of_config": (view.plans or {}).get(model),
            "plans_judged": sorted({h.plan for h in control.heartbeats if h.live and h.model == model}),
            "plans_served": sorted({n.plan for n in notes if n.model == model and _is_recent(n.time, control)}),
            "judges": len({h.judge for h in control.heartbeats if h.live and h.model == model}),
            "epoch": next((r.epoch for r in reversed(control.routes) if r.model == model), None),
            "epoch_of_snapshot": snapshots[model].epoch if model in snapshots else None,
        }
        for model in view.models
    }


def _is_recent(time: float, control: ControlView) -> bool:
    return time >= control.newest - RECENT_SECONDS


def _listed(plans: set[str]) -> str:
    return ", ".join(short(plan) for plan in sorted(plans))


def short(plan: str) -> str:
    """The beginning of a plan's digest; an older release has none."""
    return plan[:DIGEST_LENGTH] or UNKNOWN_PLAN


def _age(seconds: float) -> str:
    for size, unit in ((86_400.0, "days"), (3600.0, "hours"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
