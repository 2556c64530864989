"""The review by people: the tokens of reviewers, the archive of drawn rows, and the desk."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from tightrope.monitors.records import Role
from tightrope.monitors.review.daily_cap import DailyCap
from tightrope.service.adapters.ports import Archive, Bus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.review.daily_chances import DailyChances
from tightrope.service.adapters.review.label_outbox import LabelOutbox
from tightrope.service.adapters.review.review_archive import ReviewArchive
from tightrope.service.adapters.review.reviewed_model import ReviewedModel
from tightrope.service.adapters.review.row_presenter import RowPresenter
from tightrope.service.adapters.sqlite.event_table import DAY_SECONDS
from tightrope.service.adapters.sqlite.review_table import ReviewTable
from tightrope.service.api.review.desk import ReviewDesk, ReviewedDecision
from tightrope.service.config.loader import ConfigError, Settings, secret
from tightrope.service.config.models import ModelSection
from tightrope.service.errors import UnavailableError
from tightrope.service.inference.input_columns import build_columns
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.routing.periodic_check import PeriodicCheck

log = logging.getLogger(__name__)

REVIEW_DATABASE = "review.db"
"""Name of the file in the state folder with the rows under review."""

SAVE_SECONDS = 5.0
"""Seconds between two times at which the rows of the day are saved."""

NO_CLUSTER_CAP = (
    "needs the embedded bus so far: the workers of a cluster do not count together; leave it out, and lower "
    "labels.disagreements"
)
"""The reason for which a daily cap is refused in a cluster, and what would be right."""

MOST_TITLED_CLASSES = 1_000
"""Classes that a page offers as the right one."""


@dataclass(frozen=True, slots=True)
class Review:
    """The parts of the review, wired and not started."""

    table: ReviewTable
    archive: ReviewArchive
    desk: ReviewDesk
    daily: DailyChances
    saving: PeriodicCheck

    @classmethod
    def build(
        cls, settings: Settings, pairs: Mapping[str, ModelPair], bus: Bus, archive: Archive, metrics: Metrics
    ) -> Self | None:
        """Wire the review in front of an archive; None where no model is reviewed.

        Raises:
            ConfigError: when a reviewer's token cannot be used.
        """
        decisions = reviewed_decisions(settings, pairs)
        if not decisions:
            return None
        table = ReviewTable(settings.state / REVIEW_DATABASE)
        daily = DailyChances(table, {name: cap for name in decisions if (cap := _cap(settings, pairs, name))})
        desk = ReviewDesk(table, LabelOutbox(table, bus), decisions, metrics, daily=daily)
        saving = PeriodicCheck("review days", SAVE_SECONDS, daily.save)
        models = reviewed_models(settings, pairs)
        return cls(table, ReviewArchive(archive, table, models, metrics), desk, daily, saving)

    def start(self) -> None:
        """Start to keep drawn rows, and to make answers final."""
        self.archive.start()
        self.desk.start()
        self.saving.start()

    def stop(self, timeout: float) -> None:
        """Stop; answers that are not final are published after the next start."""
        self.archive.stop(timeout)
        self.desk.stop(timeout)
        self.saving.stop(timeout)
        try:
            self.daily.save()
        except UnavailableError as error:
            log.warning("the rows reviewed today are not saved: %s", error)
        self.table.close()


def reviewer_tokens(settings: Settings) -> dict[str, dict[str, str]]:
    """For each reviewed model, the names of its reviewers by their token.

    Raises:
        ConfigError: with every token that cannot be used.
    """
    problems: list[str] = []
    tokens: dict[str, dict[str, str]] = {}
    for name, model in settings.models.items():
        if model.review is None:
            continue
        if settings.bus is not None and (cap := model.review.per_group_daily) is not None:
            problems.append(f"models.{name}.review.per_group_daily: is {cap}, and {NO_CLUSTER_CAP}")
        tokens[name] = {}
        for reviewer, file in model.review.reviewers.items():
            key = f"models.{name}.review.reviewers.{reviewer}"
            try:
                token = secret(file, key)
            except ConfigError as error:
                problems += error.problems
                continue
            if token in tokens[name]:
                problems.append(
                    f"{key}: {file}: is the token of {tokens[name][token]}, too; each needs one of their own"
                )
            tokens[name][token] = reviewer
    if problems:
        raise ConfigError(problems)
    return tokens


def _cap(settings: Settings, pairs: Mapping[str, ModelPair], name: str) -> DailyCap | None:
    """The daily cap of a model, None without one."""
    review = settings.models[name].review
    rows = review.per_group_daily if review else None
    return None if rows is None else DailyCap(pairs[name].plan.label_draw, rows)


def reviewed_models(settings: Settings, pairs: Mapping[str, ModelPair]) -> dict[str, ReviewedModel]:
    """How rows of each reviewed model are drawn and shown."""
    models: dict[str, ReviewedModel] = {}
    for name, model in settings.models.items():
        if (section := model.review) is not None:
            presenter = RowPresenter(build_columns(model.columns, pairs[name].inputs, lambda _key, _text: None))
            models[name] = ReviewedModel(pairs[name].plan.label_draw, presenter, section.second, section.most_rows)
    return models


def reviewed_decisions(settings: Settings, pairs: Mapping[str, ModelPair]) -> dict[str, ReviewedDecision]:
    """The reviewers of each reviewed model, its classes, and its times.

    Raises:
        ConfigError: when a reviewer's token cannot be used.
    """
    tokens = reviewer_tokens(settings)
    return {
        name: ReviewedDecision(
            reviewers=tokens[name],
            titles=_titles(model, pairs[name]),
            horizon_seconds=pairs[name].plan.label_horizon,
            keep_seconds=model.review.keep_days * DAY_SECONDS,
        )
        for name, model in settings.models.items()
        if model.review is not None
    }


def _titles(model: ModelSection, pair: ModelPair) -> list[str]:
    """The titles of the classes: as they are written, or their numbers where the output tells how many there are."""
    written = model.decision.classes
    if isinstance(written, dict):
        written = written.get(Role.BASELINE)
    if written:
        return written
    deciding = next(spec for spec in pair.models[Role.BASELINE].outputs if spec.name in pair.deciding)
    count = deciding.shape[-1] if len(deciding.shape) > 1 else 0
    return [f"class {number}" for number in range(count)] if 0 < count <= MOST_TITLED_CLASSES else []
