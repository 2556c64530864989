"""Protocols that the HTTP API depends on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tightrope.monitors.records import Role
from tightrope.monitors.status.groups import GroupStatus
from tightrope.monitors.status.progress import JudgementProgress
from tightrope.monitors.status.reliability import ModelReliability
from tightrope.monitors.status.standing import ModelStanding
from tightrope.monitors.verdict import Verdict
from tightrope.service.config.models import Endpoint


class VerdictReader(Protocol):
    """Reads the state of the judgement."""

    def is_armed(self, model: str) -> bool:
        """Return whether a breach of a model routes requests to its baseline."""

    def verdicts(self, model: str) -> Sequence[Verdict]:
        """Return the latest verdict of every monitor on every scope."""

    def leading_verdicts(self, model: str, complete: int) -> Sequence[Verdict]:
        """Return all verdicts on the worst ``complete`` scopes, and on every other scope those that lead."""

    def standing(self, model: str) -> ModelStanding | None:
        """Return the modes of a model's scopes; None until its judgement is known."""

    def groups(self, model: str) -> Sequence[GroupStatus]:
        """Return the undeclared groups in which harm is found."""

    def reliability(self, model: str) -> ModelReliability | None:
        """Return the reliability curves of both models in every scope; None without labels or a confidence."""

    def group_refusal(self, model: str, order: str, scope: str) -> str:
        """Return the reason for which an order about a found group cannot be carried out; empty if it can."""

    def progress(self, model: str) -> JudgementProgress:
        """Return how far the judgement is: rows seen, pending and stale."""


class Deployer(Protocol):
    """Replaces an artefact while requests are served."""

    def deploy(
        self,
        model: str,
        role: Role,
        artefact: Path | Endpoint,
        actor: str,
        reason: str,
        qualification: Path | None = None,
    ) -> bool:
        """Load, check and switch to an artefact. Returns whether the deployment outlives a restart. ``qualification``
        is the file with its statement, beside it by default.

        Raises:
            ConfigError: when the artefact does not fit; nothing has changed then.
            UnavailableError: when it cannot be tried now.
        """

    def roll_back(self, model: str, actor: str, reason: str) -> bool:
        """Switch back to the artefacts before the latest deployment. Returns whether that outlives a restart.

        Raises:
            LookupError: when nothing was deployed.
            ConfigError: when the old artefacts cannot be used any more.
            UnavailableError: when they cannot be tried now.
        """
