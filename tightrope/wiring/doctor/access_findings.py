"""Findings about signatures, permissions, the members' own pages, and questions without an answer."""

from collections.abc import Iterator

from tightrope.service.adapters.open_inference.codec import HTTP_OK
from tightrope.service.adapters.topics import ALL_TOPICS, COMPARISONS, CONTROL, DEAD, SNAPSHOTS, topic
from tightrope.wiring.doctor.cluster_view import ClusterView, SeenMember
from tightrope.wiring.doctor.finding import Finding, Severity

SIGNS = (
    ("blind", 0.0, Severity.BLIND, "is blind: the baseline answers", "TightropeBlind"),
    ("judge_missing", 0.0, Severity.BLIND, "hears no judge of its plan", "TightropeJudgeMissing"),
    ("judge_failing", 0.0, Severity.BLIND, "fails again and again", "TightropeJudgeFailing"),
    ("judge_age_seconds", 60.0, Severity.BLIND, "has heard no judge for {value:.0f} s", "TightropeJudgesSilent"),
    ("topic_mismatch", 0.0, Severity.ACT, "sees a topic that does not fit", "TightropeTopicMismatch"),
    ("scope_blind", 0.0, Severity.ACT, "has a subgroup whose rows are not judged", "TightropeSubgroupBlind"),
    ("starved", 0.0, Severity.ACT, "keeps too few requests of a scope", "TightropeStarved"),
    ("lost", 0.0, Severity.ACT, "keeps rows that are not judged within a minute", "TightropeRowsLost"),
    ("state_unreadable", 0.0, Severity.ACT, "could not read an earlier state", "TightropeStateUnreadable"),
    ("disk_short", 0.0, Severity.ACT, "is short of disk space", "TightropeDiskShort"),
    (
        "rows_stale_total",
        0.0,
        Severity.NOTE,
        "rows of another plan refused since its start: {value:.0f}",
        "TightropeRowsStale",
    ),
    (
        "records_refused_total",
        0.0,
        Severity.NOTE,
        "records refused since its start: {value:.0f}",
        "TightropeRecordsRefused",
    ),
    (
        "records_accepted_unsigned_total",
        0.0,
        Severity.NOTE,
        "takes records without a signature",
        "TightropeUnsignedAccepted",
    ),
    ("permission_missing", 0.0, Severity.ACT, "lacks a permission on Kafka", "TightropePermissionMissing"),
    ("log_resets_total", 0.0, Severity.NOTE, "has seen a log go back since its start", "TightropeLogWentBack"),
)
"""Series of a member above a value, and the finding about it: metric, value, severity, text, heading of the runbook."""


def signing_findings(view: ClusterView) -> Iterator[Finding]:
    """Whether records are signed, and refused ones among the newest of the control topic."""
    if view.signing:
        yield Finding(Severity.NOTE, "signing", f"{view.signing}.")
    if view.control is None:  # no record was read, so nothing is known about their signatures
        return
    refused = view.control.refused
    for (name, result), count in refused.items():
        if result in {"unsigned", "forged"}:
            text = f"{count} of the newest records refused: {result}."
            remedy = "a member without the secret, or a program that must not write here: check secrets and ACLs"
            yield Finding(Severity.ACT, name, text, remedy)
    if not view.signing and not any(refused.values()):
        yield Finding(Severity.FINE, "signing", "records are signed; none of the newest was refused.")


def access_findings(view: ClusterView) -> Iterator[Finding]:
    """The roles in which this configuration's user may act, and what it lacks for the others."""
    if view.lacking is None:
        return
    lacking = {role: missing for role, missing in view.lacking.items() if missing}
    able = [role for role in view.lacking if role not in lacking]
    if not lacking:
        yield Finding(Severity.FINE, "rights", f"this user may act as {', '.join(able)}.")
    severity = Severity.NOTE if able else Severity.ACT
    for role, missing in lacking.items():
        names = ", ".join(f"{p.operation} on {p.resource} {p.name}" for p in missing[:4])
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""  # noqa: PLR2004 - as many as listed
        remedy = f"if it should, grant them: `tightrope acls CONFIG` prints the commands of {role}"
        yield Finding(severity, "rights", f"this user may not act as {role}: it lacks {names}{more}.", remedy)


def member_findings(view: ClusterView) -> Iterator[Finding]:
    """Each member's own word: readiness, and the metrics that are signs of trouble."""
    for member in view.members:
        if not member.status:
            text = f"does not answer: {'; '.join(member.reasons)}."
            yield Finding(Severity.ACT, member.url, text, "is the process running, and the address right?")
            continue
        signs = list(_signs(member))
        if member.status != HTTP_OK:
            text = f"is not ready: {'; '.join(member.reasons) or f'status {member.status}'}."
            yield Finding(Severity.ACT, member.url, text, "remove the cause, or restart it")
        elif not signs:
            yield Finding(Severity.FINE, member.url, "is ready, and reports no trouble.")
        yield from signs


def _signs(member: SeenMember) -> Iterator[Finding]:
    for name, limit, severity, text, heading in SIGNS:
        found = member.metrics.get(f"tightrope_{name}", {})
        series = {labels: value for labels, value in found.items() if value > limit}
        if series:
            labels, value = max(series.items(), key=lambda item: item[1])
            yield Finding(
                severity,
                member.url,
                f"{text.format(value=value)} {labels}".strip() + ".",
                heading and f"see {heading} in the runbook",
            )


def unanswered_findings(view: ClusterView) -> Iterator[Finding]:
    """Questions without an answer. Without the topics and the control topic nothing is known of the cluster. A topic
    that is missing answers nothing; `topic_findings` has it.
    """
    silent = {"topics", "control"} <= view.unanswered.keys()
    missing = {name for name, found in (view.topics or {}).items() if not found.partitions}
    for question, reason in view.unanswered.items():
        if missing & set(map(topic, _TOPICS.get(question, ()))):
            continue
        if silent and question not in {"topics", "models"}:
            continue
        severity = Severity.SILENT if silent else Severity.ACT
        severity = Severity.NOTE if question == "models" else severity
        subject = "Kafka" if severity is Severity.SILENT else question
        yield Finding(severity, subject, f"no answer: {reason}", _REMEDIES.get(question, ""))


_TOPICS = {
    "control": (CONTROL,),
    "notes": (COMPARISONS,),
    "snapshots": (SNAPSHOTS,),
    "parked": (DEAD,),
    "groups": ALL_TOPICS,
}
"""The topics that a question reads."""

_REMEDIES = {
    "topics": "is Kafka running, and bus.kafka.servers right? may this user describe the topics?",
    "models": "without the model files this machine's plan cannot be compared with the members'",
}
