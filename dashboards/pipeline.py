"""The dashboard *Pipeline*: whether workers and judges keep up with the traffic."""

from tightrope.dashboards.bus import BUS_ROW
from tightrope.dashboards.grid import dashboard, variable
from tightrope.dashboards.panels import (
    CHOSEN_MODELS,
    MODELS,
    ORANGE,
    RATE_INTERVAL,
    RED,
    Json,
    LineStyle,
    PanelRow,
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
            "sum(tightrope_lag_records)",
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
            f"sum(increase(tightrope_dead_records_total{LAST_HOUR}))",
            {1: RED},
        ),
        single_value(
            "Alerts untold",
            "Alerts that no Alertmanager has accepted yet.",
            "max(tightrope_alerts_waiting) or vector(0)",
            {1: RED},
        ),
        single_value(
            "Processes up", "Processes that Prometheus scrapes successfully.", 'sum(up{job=~"tightrope.*"})', {}
        ),
        single_value(
            "Processes down", "Processes whose scrape fails.", 'sum(up{job=~"tightrope.*"} == bool 0)', {1: RED}
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
            {"{{model}}": rate_by("tightrope_samples_total", "model", CHOSEN_MODELS)},
        ),
        lines(
            "Rows compared",
            "Compared rows per second, by model.",
            "ops",
            {"{{model}}": rate_by("tightrope_comparisons_total", "model", CHOSEN_MODELS, 'scope="model"')},
        ),
        lines(
            "Rows judged",
            "Rows per second that the judge counts as evidence, by model.",
            "ops",
            {"{{model}}": rate_by("tightrope_rows_judged_total", "model", CHOSEN_MODELS)},
        ),
        lines(
            "Age of the judge's heartbeat",
            "Time since the last heartbeat of the judge, by model: a second while it works.",
            "s",
            {"{{model}}": f"max by (model) (tightrope_judge_age_seconds{CHOSEN_MODELS})"},
        ),
        lines(
            "Failures of the judge",
            "Failures after which the judge started again.",
            "short",
            {"failures": f"sum(increase(tightrope_judge_failures_total{RATE_INTERVAL}))"},
            LineStyle.QUIET,
        ),
        lines(
            "Records waiting",
            "Records that have not been read yet, by the group that reads them.",
            "short",
            {"{{reader}}": "sum by (reader) (tightrope_lag_records)"},
            LineStyle.QUIET,
        ),
        lines(
            "Requests dropped",
            "Dropped requests per second, by reason; a deployment drops a few with the reason old_artefact.",
            "reqps",
            {"{{reason}}": rate_by("tightrope_samples_dropped_total", "reason", CHOSEN_MODELS)},
            LineStyle.QUIET,
        ),
        lines(
            "Dead records",
            "Records that could not be decoded, by topic.",
            "short",
            {"{{topic}}": f"sum by (topic) (increase(tightrope_dead_records_total{RATE_INTERVAL}))"},
            LineStyle.QUIET,
        ),
        lines(
            "Rows that could not be compared",
            "Rows per second that could not be compared, by model.",
            "ops",
            {"{{model}}": rate_by("tightrope_comparison_errors_total", "model", CHOSEN_MODELS, 'scope="model"')},
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
                "kept": f"sum(rate(tightrope_archived_rows_total{CHOSEN_MODELS}{RATE_INTERVAL}))",
                "{{reason}}": rate_by("tightrope_archive_skipped_rows_total", "reason", CHOSEN_MODELS),
            },
        ),
        lines(
            "Drift reports",
            "Drift reports, by outcome.",
            "short",
            {"{{outcome}}": "sum by (outcome) (tightrope_reports_total)"},
            LineStyle.QUIET,
        ),
        lines(
            "Posts of alerts",
            "Posts to all Alertmanagers, by outcome.",
            "short",
            {"{{outcome}}": f"sum by (outcome) (increase(tightrope_alert_posts_total{RATE_INTERVAL}))"},
        ),
    ],
)


def _processes() -> PanelRow:
    own = '{job=~"tightrope.*"}'
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
        [variable("model", "Model", MODELS, several=True)],
        [BACKLOG_ROW, FLOW_ROW, OUTPUTS_ROW, BUS_ROW, _processes()],
    )
