import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import (
    GATEWAY_PROCESS,
    GROUP,
    JUDGE_PROCESS,
    PAYLOAD_GATEWAY_PROCESS,
    PERMISSIONS,
    READ,
    TOPIC,
    WORKER_PROCESS,
    WRITE,
    Permission,
    denial_text,
)
from tightrope.service.adapters.ports import BusUnavailableError
from tightrope.service.config.loader import load
from tightrope.wiring.permission_check import PermissionCheck, needed_permissions

OPTIONS = KafkaOptions(("k:1",), prefix="p-")
READ_A, WRITE_A, READ_G = Permission(TOPIC, "a", READ), Permission(TOPIC, "a", WRITE), Permission(GROUP, "g", READ)


class Shown:
    """Metrics that remember what they show."""

    def __init__(self) -> None:
        self.missing: dict[str, bool] = {}

    def set_permission_missing(self, resource: str, *, missing: bool) -> None:
        """Remember a resource."""
        self.missing[resource] = missing


def test_missing_permissions_are_told_once_and_until_they_are_granted(caplog: pytest.LogCaptureFixture) -> None:
    """The reason is the line with the commands; the next look comes soon while one is missing or Kafka is silent, and
    silence changes nothing.
    """
    answers: list[list[Permission] | None] = [[], [READ_A, READ_G], [READ_A, READ_G], None, [READ_G], []]

    def compare(_: KafkaOptions, needed: Sequence[Permission]) -> list[Permission]:
        assert list(needed) == [READ_A, WRITE_A, READ_G]
        answer = answers.pop(0)
        if answer is None:
            raise BusUnavailableError("away")
        return answer

    shown = Shown()
    check = PermissionCheck(OPTIONS, [READ_A, WRITE_A, READ_G], shown, compare)
    both, one = denial_text(OPTIONS, [READ_A, READ_G]), denial_text(OPTIONS, [READ_G])
    with caplog.at_level(logging.WARNING):
        seen = [(check({}), check.reason, dict(shown.missing)) for _ in range(6)]
    lacking = {"a": True, "g": True}
    assert seen == [
        (True, "", {"a": False, "g": False}),
        (False, both, lacking),
        (False, both, lacking),
        (False, both, lacking),
        (False, one, {"a": False, "g": True}),
        (True, "", {"a": False, "g": False}),
    ]
    expected = [f"permissions: {both}", f"permissions: {one}", "permissions: all of them are granted now"]
    assert caplog.messages == expected


def test_gateway_needs_payloads_only_where_a_model_has_them(tmp_path: Path) -> None:
    """The other processes never read them."""
    plain = load(write_config(tmp_path, config(tmp_path)), {})
    joined = load(write_config(tmp_path, config(tmp_path, payloads={"answered_by": "compressed"})), {})
    assert needed_permissions(plain, GATEWAY_PROCESS) == PERMISSIONS[GATEWAY_PROCESS]
    assert (
        needed_permissions(joined, GATEWAY_PROCESS)
        == PERMISSIONS[GATEWAY_PROCESS] + PERMISSIONS[PAYLOAD_GATEWAY_PROCESS]
    )
    assert needed_permissions(joined, WORKER_PROCESS) == PERMISSIONS[WORKER_PROCESS]


def test_judge_needs_samples_and_labels_only_where_a_model_is_reviewed(tmp_path: Path) -> None:
    """It reads the inputs of drawn rows, and writes what reviewers say."""
    (tmp_path / "ana").write_text("token")
    plain = load(write_config(tmp_path, config(tmp_path, labels={})), {})
    reviewed = load(write_config(tmp_path, config(tmp_path, labels={}, review={"reviewers": {"ana": "ana"}})), {})
    assert needed_permissions(plain, JUDGE_PROCESS) == PERMISSIONS[JUDGE_PROCESS]
    assert needed_permissions(reviewed, JUDGE_PROCESS) == PERMISSIONS[JUDGE_PROCESS] + (
        Permission("topic", "tightrope.samples", "Read"),
        Permission("topic", "tightrope.labels", "Write"),
    )
    assert needed_permissions(reviewed, GATEWAY_PROCESS) == PERMISSIONS[GATEWAY_PROCESS]
