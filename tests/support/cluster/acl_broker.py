"""A real broker that asks for a password and refuses what no ACL allows, and helpers to grant and revoke."""

import argparse
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLFilter, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from tightrope.demo.broker import Broker, Listener
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import Permission, grant_commands
from tightrope.service.config.loader import Settings

PASSWORD = "over-the-river"
USERS = ("gateway", "worker", "judge", "topics", "doctor", "tail", "labels", "payloads")
AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"


@contextmanager
def acl_broker(folder: Path) -> Iterator[Broker]:
    """A broker whose listener SASL knows a user for every process; its plaintext listener is for its administrator."""
    users = " ".join(f'user_{name}="{PASSWORD}"' for name in USERS)
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    settings = {"sasl.enabled.mechanisms": "PLAIN", "plain.sasl.jaas.config": f"{module} required {users};"}
    rules = {
        "authorizer.class.name": AUTHORIZER,
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
    }
    broker = Broker(folder, {"SASL": Listener("SASL_PLAINTEXT", settings)}, settings=rules)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


def client_of(user: str) -> dict[str, object]:
    """The client options of a user; the password is in a file."""
    return {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_plain_username": user}


def settings_of(settings: Settings, user: str) -> Settings:
    """Return the configuration with another user."""
    assert settings.bus is not None
    kafka = settings.bus.kafka.model_copy(update={"client": client_of(user)})
    return settings.model_copy(update={"bus": settings.bus.model_copy(update={"kafka": kafka})})


class Administrator:
    """Grants and revokes permissions, as the printed commands do, over one connection."""

    def __init__(self, broker: Broker) -> None:
        self._admin: Any = KafkaAdminClient(bootstrap_servers=broker.address)

    def close(self) -> None:
        """Close the connection."""
        self._admin.close()

    def grant(self, options: KafkaOptions, permissions: Iterable[Permission]) -> None:
        """Run the commands that Tightrope prints for these permissions."""
        acls = [acl for line in grant_commands(options, permissions) for acl in parse_command(line)]
        result = self._admin.create_acls(acls)
        assert not result["failed"], result

    def revoke(self, options: KafkaOptions, permissions: Sequence[Permission]) -> None:
        """Take permissions back."""
        acls = [acl for line in grant_commands(options, permissions) for acl in parse_command(line)]
        filters = [
            ACLFilter(acl.principal, acl.host, acl.operation, acl.permission_type, acl.resource_pattern) for acl in acls
        ]
        self._admin.delete_acls(filters)


def parse_command(line: str) -> list[ACL]:
    """The ACLs that a command of `kafka-acls.sh` adds."""
    parser = argparse.ArgumentParser()
    for name in ("--bootstrap-server", "--command-config", "--allow-principal"):
        parser.add_argument(name)
    for name in ("--operation", "--topic", "--group"):
        parser.add_argument(name, action="append", default=[])
    parser.add_argument("--add", action="store_true", required=True)
    program, *arguments = shlex.split(line)
    assert program == "kafka-acls.sh"
    found = parser.parse_args(arguments)
    patterns = [ResourcePattern(ResourceType.TOPIC, name) for name in found.topic]
    patterns += [ResourcePattern(ResourceType.GROUP, name) for name in found.group]
    operations = [next(o for o in ACLOperation if o.name.replace("_", "") == name.upper()) for name in found.operation]
    return [
        ACL(found.allow_principal, "*", operation, ACLPermissionType.ALLOW, pattern)
        for operation in operations
        for pattern in patterns
    ]
