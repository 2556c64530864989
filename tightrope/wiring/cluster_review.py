"""The review in a cluster: at the judge of each model, on its disk and its port; gateways say where that is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.replay import RecordLookup
from tightrope.service.adapters.prometheus.bus_catalogue import UNDELIVERED_REASONS
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.review.handover import ReviewHandover
from tightrope.service.adapters.review.label_outbox import LabelOutbox
from tightrope.service.adapters.review.review_intake import ReviewIntake
from tightrope.service.adapters.sqlite.review_table import ReviewTable
from tightrope.service.adapters.topics import SAMPLES, topic
from tightrope.service.api.review.desk import ReviewDesk
from tightrope.service.config.access import access_tokens
from tightrope.service.config.loader import Settings
from tightrope.service.errors import UnknownModelError, quote
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.routing.periodic_check import PeriodicCheck
from tightrope.service.transport.http.asgi import App
from tightrope.wiring.recording.recorder import incident_library
from tightrope.wiring.review import REVIEW_DATABASE, reviewed_decisions, reviewed_models
from tightrope.wiring.topics import kafka_options

HANDOVER_CHECK_SECONDS = 30.0
"""Seconds between two looks for models that another judge has taken over."""

LABEL_PATIENCE_SECONDS = 10.0
"""Longest time to wait for the acknowledgement of reviewers' labels; they stay on disk, and are waited for again."""

LABEL_BUFFER_BYTES = 4 << 20
"""Bytes of labels in memory that wait for the broker."""


@dataclass(frozen=True, slots=True)
class ClusterReview:
    """The parts of the review at a judge, wired and not started. ``app`` serves the page and its routes."""

    table: ReviewTable
    intake: ReviewIntake
    desk: ReviewDesk
    handover: PeriodicCheck
    samples: RecordLookup
    bus: KafkaBus
    app: App

    @classmethod
    def build(
        cls, settings: Settings, pairs: Mapping[str, ModelPair], is_judged: Callable[[str], bool], metrics: Metrics
    ) -> Self | None:
        """Wire the review of a judge; ``is_judged`` tells whether it judges a model now. None where no model is
        reviewed.

        Raises:
            ConfigError: when a reviewer's token cannot be used.
        """
        decisions = reviewed_decisions(settings, pairs)
        if not decisions:
            return None
        from tightrope.service.api.judge_port.app import create_judge_app  # noqa: PLC0415 - FastAPI takes long to load

        for name in decisions:
            metrics.review_skipped_rows.labels(name)  # so that the first one is a rise
        table, bus = ReviewTable(settings.state / REVIEW_DATABASE), _label_bus(settings, metrics)
        samples = RecordLookup(kafka_options(settings), topic(SAMPLES))
        intake = ReviewIntake(table, reviewed_models(settings, pairs), samples.read, metrics)
        outbox = LabelOutbox(table, bus, LABEL_PATIENCE_SECONDS)
        desk = ReviewDesk(table, outbox, decisions, metrics, is_asked=is_judged)
        handover = PeriodicCheck(
            "review-handover", HANDOVER_CHECK_SECONDS, ReviewHandover(table, decisions, is_judged).check
        )

        def named(model: str) -> str:
            if model not in pairs:
                raise UnknownModelError(f"there is no model {quote(model)}; there are {', '.join(pairs)}")
            return model

        app = create_judge_app(named, desk, access_tokens(settings), incident_library(settings))
        return cls(table, intake, desk, handover, samples, bus, app)

    def start(self) -> None:
        """Start to take drawn rows, and to make answers final."""
        self.intake.start()
        self.desk.start()
        self.handover.start()

    def stop(self, timeout: float) -> None:
        """Stop; answers that are not final, and labels that could not be published, wait on disk for the next start."""
        self.intake.stop(timeout)
        self.handover.stop(timeout)
        self.desk.stop(timeout)
        self.samples.close()
        self.bus.close(timeout)
        self.table.close()


def _label_bus(settings: Settings, metrics: Metrics) -> KafkaBus:
    """A bus of its own: what waits here must not delay the judge, which waits until its own records are stored."""

    def count_loss(name: str, _: bytes, reason: str) -> None:
        metrics.undelivered_records.labels(name, reason if reason in UNDELIVERED_REASONS else "refused").inc()

    options = kafka_options(settings)
    return KafkaBus(replace(options, buffer_bytes=max(LABEL_BUFFER_BYTES, options.record_bytes)), count_loss)


def review_pages(settings: Settings) -> dict[str, str | None]:
    """The address of the review page of each reviewed model, for gateways; None where the configuration has none."""
    return {name: model.review.page for name, model in settings.models.items() if model.review}
