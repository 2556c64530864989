"""The examination of a running cluster: all questions at the same time, then all findings, the worst first."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tightrope.service.adapters.kafka.acl_check import missing_permissions
from tightrope.service.adapters.kafka.admin import describe, differences, look_up
from tightrope.service.adapters.kafka.inspection import GroupView, read_group
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import (
    GATEWAY_PROCESS,
    JUDGE_PROCESS,
    PERMISSIONS,
    WORKER_PROCESS,
    Permission,
)
from tightrope.service.adapters.topics import (
    ALL_TOPICS,
    COMPARISONS,
    CONTROL,
    INTAKE_GROUP,
    JUDGES_GROUP,
    LABELS,
    PAYLOADS,
    SAMPLES,
    WORKERS_GROUP,
    topic,
)
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import Settings
from tightrope.wiring.doctor import topic_tails
from tightrope.wiring.doctor.access_findings import (
    access_findings,
    member_findings,
    signing_findings,
    unanswered_findings,
)
from tightrope.wiring.doctor.cluster_view import ClusterView
from tightrope.wiring.doctor.finding import Finding, worst_first
from tightrope.wiring.doctor.flow_findings import clock_findings, group_findings
from tightrope.wiring.doctor.judge_findings import judge_findings
from tightrope.wiring.doctor.member_pages import read_member
from tightrope.wiring.doctor.questions import ask
from tightrope.wiring.doctor.topic_findings import parked_findings, topic_findings
from tightrope.wiring.topics import kafka_options, kafka_section, signing_warning, wanted_specs

LISTEN_SECONDS = 3.0
"""Seconds for which the doctor listens for heartbeats; a judge sends one a second."""

QUESTION_SECONDS = 20.0
"""Time limit for all questions."""

TOPICS_BY_GROUP = {WORKERS_GROUP: (SAMPLES,), JUDGES_GROUP: (COMPARISONS, LABELS, CONTROL), INTAKE_GROUP: (PAYLOADS,)}
"""The topics that each group reads."""

ROLES = (GATEWAY_PROCESS, WORKER_PROCESS, JUDGE_PROCESS, "doctor")
"""The roles whose permissions are compared with the user's."""


def examine(settings: Settings, urls: Sequence[str] = (), seconds: float = QUESTION_SECONDS) -> ClusterView:
    """Look at a running cluster; it changes nothing and takes about ``seconds`` at most.

    Raises:
        ConfigError: when the configuration has no usable section of Kafka.
    """
    options, section = kafka_options(settings), kafka_section(settings)
    payloads = any(model.payloads for model in settings.models.values())
    groups = (WORKERS_GROUP, JUDGES_GROUP, *((INTAKE_GROUP,) if payloads else ()))
    questions: dict[str, Callable[[], object]] = {
        "topics": lambda: look_up(options, map(topic, ALL_TOPICS)),
        "differences": lambda: _differences(settings, options),
        "control": lambda: topic_tails.read_control(options, LISTEN_SECONDS),
        "notes": lambda: topic_tails.read_notes(options),
        "snapshots": lambda: topic_tails.read_snapshots(options),
        "groups": lambda: _groups(options, groups),
        "parked": lambda: topic_tails.read_parked(options, time.time()),
        "models": lambda: {name: pair.plan.coverage for name, pair in load_pairs(settings, enforced=False).items()},
        "rights": lambda: _lacking(options),
        "members": lambda: list(ask({url: partial(read_member, url) for url in urls}, seconds).given.values()),
    }
    answers = ask(questions, seconds)
    given: Mapping[str, Any] = answers.given
    return ClusterView(
        models=list(settings.models),
        partitions=section.partitions,
        payloads=payloads,
        signing=signing_warning(settings),
        topics=given.get("topics"),
        differences=given.get("differences"),
        control=given.get("control"),
        notes=given.get("notes"),
        snapshots=given.get("snapshots"),
        groups=given.get("groups"),
        parked=given.get("parked"),
        plans=given.get("models"),
        lacking=given.get("rights"),
        members=given.get("members", ()),
        unanswered=answers.missing,
    )


def findings_of(view: ClusterView) -> list[Finding]:
    """All findings, the worst first."""
    sources = (
        unanswered_findings,
        topic_findings,
        judge_findings,
        group_findings,
        member_findings,
        signing_findings,
        parked_findings,
        clock_findings,
        access_findings,
    )
    return worst_first(finding for source in sources for finding in source(view))


def _differences(settings: Settings, options: KafkaOptions) -> list[str]:
    wanted = wanted_specs(settings)
    return differences(wanted, describe(options, [spec.name for spec in wanted], settings=True))


def _groups(options: KafkaOptions, names: Sequence[str]) -> dict[str, tuple[GroupView, GroupView]]:
    """Two looks at each group, as far apart as the doctor listens."""
    found = look_up(options, map(topic, ALL_TOPICS))
    partitions = {name: description.partitions for name, description in found.items()}
    topics = {name: [topic(each) for each in TOPICS_BY_GROUP[name]] for name in names}
    before = {name: read_group(options, name, topics[name], partitions) for name in names}
    time.sleep(LISTEN_SECONDS)
    return {name: (before[name], read_group(options, name, topics[name], partitions)) for name in names}


def _lacking(options: KafkaOptions) -> dict[str, list[Permission]]:
    return {role: missing_permissions(options, PERMISSIONS[role]) for role in ROLES}
