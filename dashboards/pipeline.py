"""The dashboard *Pipeline*: whether workers and judges keep up with the traffic."""

from tightrope.dashboards.bus import BUS_ROW
from tightrope.dashboards.grid import dashboard, installation_variables, served_models, variable
from tightrope.dashboards.panels import (
    ALL_PROCESSES,
    CHOSEN_INSTALLATIONS,
    CHOSEN_MODELS,
    INSTALLATION,
    LEGEND,
    MODEL,
    OF_INSTALLATION,
    ORANGE,
    RATE_INTERVAL,
    RED,
    SCRAPED_PROCESSES,
    Json,
    LineStyle,
    PanelRow,
    increase_by,
    lines,
    rate_by,
    single_value,
)

LAST_HOUR = "[1h]"
BACKLOG_ROW = PanelRow(
    "Does the shadow keep up?",
    [
        single_value(
            "Records waiting",
            "Records that workers and judges have not read yet.",
            f"sum(tightrope_lag_records{ALL_PROCESSES})",
            {100: ORANGE, 1000: RED},
        ),
        single_value(
            "Dropped",
            "Sampled requests of the last hour that were not compared.",
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
            "Alerts untold",
            "Alerts that no Alertmanager has accepted yet.",
            f"max(tightrope_alerts_waiting{ALL_PROCESSES}) or vector(0)",
            {1: RED},
        ),
        single_value(
            "Processes up", "Processes that Prometheus scrapes successfully.", f"sum(up{SCRAPED_PROCESSES})", {}
        ),
        single_value(
            "Processes down", "Processes whose scrape fails.", f"sum(up{SCRAPED_PROCESSES} == bool 0)", {1: RED}
        ),
    ],
)
FLOW_ROW = PanelRow(
    "From the request to the verdict",
    [
        lines(
            "Requests kept",
            "Requests per second that are sampled for comparison, by model.",
            "reqps",
            {LEGEND: rate_by("tightrope_samples_total", MODEL, CHOSEN_MODELS)},
        ),
        lines(
            "Rows compared",
            "Compared rows per second, by model.",
            "ops",
            {LEGEND: rate_by("tightrope_comparisons_total", MODEL, CHOSEN_MODELS, 'scope="model"')},
        ),
        lines(
            "Rows judged",
            "Rows per second that the judge counts as evidence, by model.",
            "ops",
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
            "Dropped requests per second, by reason; a deployment drops a few with the reason old_artefact.",
            "reqps",
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
            "ops",
            {LEGEND: rate_by("tightrope_comparison_errors_total", MODEL, CHOSEN_MODELS, 'scope="model"')},
            LineStyle.QUIET,
        ),
    ],
)
OUTPUTS_ROW = PanelRow(
    "Beside it",
    [
        lines(
            "Rows kept for reports",
            "Rows per second that are kept for drift reports, and those that are not, by reason.",
            "ops",
            {
                f"kept {OF_INSTALLATION}": rate_by("tightrope_archived_rows_total", INSTALLATION, CHOSEN_MODELS),
                f"{{{{reason}}}} {OF_INSTALLATION}": rate_by(
                    "tightrope_archive_skipped_rows_total", f"{INSTALLATION}, reason", CHOSEN_MODELS
                ),
            },
        ),
        lines(
            "Drift reports",
            "Drift reports, by outcome.",
            "short",
            {
                f"{{{{outcome}}}} {OF_INSTALLATION}": f"sum by ({INSTALLATION}, outcome) "
                f"(tightrope_reports_total{ALL_PROCESSES})"
            },
            LineStyle.QUIET,
        ),
        lines(
            "Posts of alerts",
            "Posts to all Alertmanagers, by outcome.",
            "short",
            increase_by("tightrope_alert_posts_total", "outcome"),
        ),
    ],
)


def _processes() -> PanelRow:
    own = SCRAPED_PROCESSES
    return PanelRow(
        "Processes",
        [
            lines(
                "Processor",
                "CPU cores in use, by process.",
                "short",
                {"{{instance}}": f"rate(process_cpu_seconds_total{own}{RATE_INTERVAL})"},
            ),
            lines(
                "Memory",
                "Resident memory, by process.",
                "bytes",
                {"{{instance}}": f"process_resident_memory_bytes{own}"},
            ),
            lines(
                "Open files", "Open file descriptors, by process.", "short", {"{{instance}}": f"process_open_fds{own}"}
            ),
        ],
        folded=True,
    )


def pipeline() -> Json:
    """Build the dashboard."""
    return dashboard(
        "tightrope-pipeline",
        "Tightrope / Pipeline",
        "From the request through the shadow to the verdict: backlog and losses.",
        [
            *installation_variables(several=True),
            variable("model", "Model", served_models(CHOSEN_INSTALLATIONS), several=True),
        ],
        [BACKLOG_ROW, FLOW_ROW, OUTPUTS_ROW, BUS_ROW, _processes()],
    )
