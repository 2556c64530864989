"""Findings about the flow of records: consumer groups and their lag, and the clocks that date the records."""

from collections.abc import Iterator

from tightrope.service.adapters.kafka.inspection import GroupView
from tightrope.service.adapters.topics import INTAKE_GROUP, JUDGES_GROUP, WORKERS_GROUP
from tightrope.wiring.doctor.cluster_view import ClusterView
from tightrope.wiring.doctor.finding import Finding, Severity

MAX_LAG_RECORDS = 100
"""A larger lag that does not shrink is told, as by the alert TightropeShadowBehind."""

MAX_SKEW_SECONDS = 5.0
"""A larger difference of two clocks is told; a record may wait about that long before it is sent."""

COMMANDS_BY_GROUP = {WORKERS_GROUP: "worker", JUDGES_GROUP: "judge", INTAKE_GROUP: "serve"}
"""The command whose processes are the members of a group."""


def group_findings(view: ClusterView) -> Iterator[Finding]:
    """Groups without members, with lag, or with offsets beyond their topics' ends."""
    for name, (before, after) in (view.groups or {}).items():
        command = COMMANDS_BY_GROUP[name]
        lag = sum(after.lag.values())
        if after.beyond:
            where = ", ".join(f"{topic}/{partition}" for topic, partition in after.beyond[:3])
            text = f"has read beyond the end of {where}: the topic was made anew, or its broker lost records."
            remedy = f"stop the group's processes (`tightrope {command}`) and start them again"
            yield Finding(Severity.BLIND, name, text, remedy)
        if not after.has_members:
            yield _without_members(name, command, lag)
        elif lag > MAX_LAG_RECORDS:
            yield _lagging(name, command, before, after)
        elif not after.beyond:
            yield Finding(Severity.FINE, name, f"{_counted(after)}, {lag} records not read yet.")


def _without_members(name: str, command: str, lag: int) -> Finding:
    text = f"no process of this group runs; {lag} records wait."
    return Finding(
        Severity.BLIND, name, text, f"start one with `tightrope {command} CONFIG`; no row is judged meanwhile"
    )


def _lagging(name: str, command: str, before: GroupView, after: GroupView) -> Finding:
    lag, shrunk = sum(after.lag.values()), sum(before.lag.values()) - sum(after.lag.values())
    idle = after.assigned < len(after.lag) and after.state == "Stable"
    if shrunk > 0 and not idle:
        text = f"{lag} records behind, and catching up ({shrunk} fewer than at the first look)."
        return Finding(Severity.NOTE, name, text)
    text = f"{lag} records behind, and not catching up; harm is found late."
    if idle:
        text = f"{lag} records behind, and only {after.assigned} of {len(after.lag)} partitions have a reader."
    remedy = f"look at the log of its {_counted(after)}; start more with `tightrope {command} CONFIG`"
    return Finding(Severity.ACT, name, text, remedy)


def _counted(group: GroupView) -> str:
    return "1 member" if len(group.members) == 1 else f"{len(group.members)} members"


def clock_findings(view: ClusterView) -> Iterator[Finding]:
    """Differences of this machine's and the gateways' clocks against the brokers'."""
    control = view.control
    skews = [heartbeat.skew for heartbeat in control.heartbeats if heartbeat.live] if control else []
    if skews:
        yield _skew("clocks", "this machine", min(skews, key=abs))
    ahead = [note.sent - note.time for note in view.notes or ()]
    if ahead and max(map(abs, ahead)) > MAX_SKEW_SECONDS:
        yield _skew("clocks", "a gateway", max(ahead, key=abs))


def _skew(subject: str, owner: str, seconds: float) -> Finding:
    """Positive seconds: the owner's clock is ahead of the brokers'."""
    if abs(seconds) <= MAX_SKEW_SECONDS:
        return Finding(Severity.FINE, subject, f"{owner} and the brokers differ by {abs(seconds):.1f} s at most.")
    way = "ahead of" if seconds > 0 else "behind"
    text = f"the clock of {owner} is {abs(seconds):.0f} s {way} the brokers'."
    return Finding(Severity.ACT, subject, text, "let all machines use the same time servers (NTP)")
