"""Who stands behind the pages: where the judgement can be looked at, and who puts another artefact in place."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tightrope.monitors.records import Role, Verdict
from tightrope.service.config.models import Endpoint


class Desk(Protocol):
    """Where the judgement can be looked at."""

    def verdicts(self, model: str) -> Sequence[Verdict]:
        """What every monitor says of every scope now."""

    def progress(self, model: str) -> Mapping[str, object]:
        """How far the judgement got: rows seen, pending, stale."""


class Deployer(Protocol):
    """Whoever can put another artefact in place while requests are answered."""

    def deploy(self, model: str, role: Role, artefact: Path | Endpoint, actor: str, reason: str) -> bool:
        """Load, check, and switch; whether that outlives a restart.

        Raises:
            ConfigError: when the artefact does not fit; nothing has changed then.
        """

    def roll_back(self, model: str, actor: str, reason: str) -> bool:
        """Switch to what was there before the latest deployment; whether that outlives a restart.

        Raises:
            LookupError: when there is nothing to go back to.
        """
