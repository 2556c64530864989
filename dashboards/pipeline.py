"""The dashboard *Pipeline*: whether workers and judges keep up with the traffic."""

from tightrope.dashboards.bus import BUS_ROW
from tightrope.dashboards.fleet import PROCESS_PANELS
from tightrope.dashboards.grid import dashboard, installation_variables, served_models, variable
from tightrope.dashboards.panels import ORANGE, RED, REQUESTS, ROWS, Json, LineStyle, PanelRow, lines, single_value
from tightrope.dashboards.queries import (
    ALL_PROCESSES,
    CHOSEN_INSTALLATIONS,
    CHOSEN_MODELS,
    INSTALLATION,
    LEGEND,
    MODEL,
    OF_INSTALLATION,
    RATE_INTERVAL,
    SCRAPED_PROCESSES,
    increase_by,
    rate_by,
)

LAST_HOUR = "[1h]"
BACKLOG_ROW = PanelRow(
    "Is every kept answer judged in time?",
    [
        single_value(
            "Records waiting",
            "Records that workers and judges have not read yet.",
            f"sum(tightrope_lag_records{ALL_PROCESSES})",
            {100: ORANGE, 1000: RED},
        ),
        single_value(
            "Dropped",
            "Kept requests of the last hour that were not compared.",
            f"sum(increase(tightrope_samples_dropped_total{CHOSEN_MODELS}{LAST_HOUR}))",
            {1: ORANGE},
        ),
        single_value(
            "Dead records",
            "Records of the last hour that could not be decoded.",
            f"sum(increase(tightrope_dead_records_total{ALL_PROCESSES}{LAST_HOUR}))",
            {1: RED},
        ),
        single_value(
            "Unsent alerts",
            "Alerts that no Alertmanager has accepted yet.",
            f"max(tightrope_alerts_waiting{ALL_PROCESSES}) or vector(0)",
            {1: RED},
        ),
        single_value(
            "Processes that run", "Processes that Prometheus scrapes successfully.", f"sum(up{SCRAPED_PROCESSES})", {}
        ),
        single_value(
            "Processes that do not", "Processes whose scrape fails.", f"sum(up{SCRAPED_PROCESSES} == bool 0)", {1: RED}
        ),
    ],
)
FLOW_ROW = PanelRow(
    "From the request to the judge",
    [
        lines(
            "Requests kept",
            "Requests per second that are kept for comparison, by model.",
            REQUESTS,
            {LEGEND: rate_by("tightrope_samples_total", MODEL, CHOSEN_MODELS)},
        ),
        lines(
            "Rows compared",
            "Compared rows per second, by model.",
            ROWS,
            {LEGEND: rate_by("tightrope_comparisons_total", MODEL, CHOSEN_MODELS, 'scope="model"')},
        ),
        lines(
            "Rows judged",
            "Rows per second that the judge counts as evidence, by model.",
            ROWS,
            {LEGEND: rate_by("tightrope_rows_judged_total", MODEL, CHOSEN_MODELS)},
        ),
        lines(
            "Age of the judge's heartbeat",
            "Time since the last heartbeat of the judge, by model: a second while it works.",
            "s",
            {LEGEND: f"max by ({MODEL}) (tightrope_judge_age_seconds{CHOSEN_MODELS})"},
        ),
        lines(
            "Failures of the judge",
            "Failures after which the judge started again.",
            "short",
            {
                f"failures {OF_INSTALLATION}": f"sum by ({INSTALLATION}) "
                f"(increase(tightrope_judge_failures_total{ALL_PROCESSES}{RATE_INTERVAL}))"
            },
            LineStyle.QUIET,
        ),
        lines(
            "Records waiting",
            "Records that have not been read yet, by the group that reads them.",
            "short",
            {
                f"{{{{reader}}}} {OF_INSTALLATION}": f"sum by ({INSTALLATION}, reader) "
                f"(tightrope_lag_records{ALL_PROCESSES})"
            },
            LineStyle.QUIET,
        ),
        lines(
            "Requests dropped",
            "Kept requests per second that are dropped, by reason; a deployment drops a few (old_artefact).",
            REQUESTS,
            {
                f"{{{{reason}}}} {OF_INSTALLATION}": rate_by(
                    "tightrope_samples_dropped_total", f"{INSTALLATION}, reason", CHOSEN_MODELS
                )
            },
            LineStyle.QUIET,
        ),
        lines(
            "Dead records",
            "Records that could not be decoded, by topic.",
            "short",
            increase_by("tightrope_dead_records_total", "topic"),
            LineStyle.QUIET,
        ),
        lines(
            "Rows that could not be compared",
            "Rows per second that could not be compared, by model.",
            ROWS,
            {LEGEND: rate_by("tightrope_comparison_errors_total", MODEL, CHOSEN_MODELS, 'scope="model"')},
            LineStyle.QUIET,
        ),
    ],
)
OUTPUTS_ROW = PanelRow(
    "Reports and alerts",
    [
        lines(
            "Rows kept for reports",
            "Rows per second that are kept for the reports about changed inputs, and those that are not, by reason.",
            ROWS,
            {
                f"kept {OF_INSTALLATION}": rate_by("tightrope_archived_rows_total", INSTALLATION, CHOSEN_MODELS),
                f"{{{{reason}}}} {OF_INSTALLATION}": rate_by(
                    "tightrope_archive_skipped_rows_total", f"{INSTALLATION}, reason", CHOSEN_MODELS
                ),
            },
        ),
        lines(
            "Reports about changed inputs",
            "Runs of the report job, by outcome.",
            "short",
            {
                f"{{{{outcome}}}} {OF_INSTALLATION}": f"sum by ({INSTALLATION}, outcome) "
                f"(tightrope_reports_total{ALL_PROCESSES})"
            },
            LineStyle.QUIET,
        ),
        lines(
            "Alerts posted",
            "Posts to all Alertmanagers, by outcome.",
            "short",
            increase_by("tightrope_alert_posts_total", "outcome"),
        ),
    ],
)


OPEN_FILES = lines(
    "Open files",
    "Open file descriptors, by process.",
    "short",
    {"{{instance}}": f"process_open_fds{SCRAPED_PROCESSES}"},
    width=24,
    height=6,
)


def pipeline() -> Json:
    """Build the dashboard."""
    return dashboard(
        "tightrope-pipeline",
        "Tightrope / Pipeline",
        "The way of an answer from the request to the judge: what waits, what is lost.",
        [
            *installation_variables(several=True),
            variable("model", "Model", served_models(CHOSEN_INSTALLATIONS), several=True),
        ],
        [
            BACKLOG_ROW,
            FLOW_ROW,
            OUTPUTS_ROW,
            BUS_ROW,
            PanelRow("Processes", [*PROCESS_PANELS, OPEN_FILES], folded=True),
        ],
    )
