"""The dashboard *Pipeline*: whether the shadow keeps up."""

from tightrope.dashboards.grid import dashboard, variable
from tightrope.dashboards.panels import MODELS, NEAR, OVER, Json, Look, Row, figure, growth, lines

M = '{model=~"$model"}'
RATE = "[$__rate_interval]"
HOUR = "[1h]"
NOW = Row(
    "Does the shadow keep up?",
    [
        figure(
            "Records waiting", "For workers and judges together.", "sum(tightrope_lag_records)", {100: NEAR, 1000: OVER}
        ),
        figure(
            "Dropped",
            "Requests of the last hour that should have been compared and were not.",
            f"sum(increase(tightrope_samples_dropped_total{M}{HOUR}))",
            {1: NEAR},
        ),
        figure(
            "Dead records",
            "Of the last hour; they could not be read.",
            f"sum(increase(tightrope_dead_records_total{HOUR}))",
            {1: OVER},
        ),
        figure(
            "Alerts untold",
            "No Alertmanager has taken them yet.",
            "max(tightrope_alerts_waiting) or vector(0)",
            {1: OVER},
        ),
        figure("Processes up", "Of all that Prometheus knows.", 'sum(up{job=~"tightrope.*"})', {}),
        figure("Processes down", "They do not show their metrics.", 'sum(up{job=~"tightrope.*"} == bool 0)', {1: OVER}),
    ],
)
FLOW = Row(
    "From the request to the verdict",
    [
        lines(
            "Requests kept",
            "For the shadow, by model.",
            "reqps",
            {"{{model}}": growth("tightrope_samples_total", "model", M)},
        ),
        lines(
            "Rows compared",
            "By model.",
            "ops",
            {"{{model}}": growth("tightrope_comparisons_total", "model", M, 'scope="model"')},
        ),
        lines(
            "Records waiting",
            "By who should read them.",
            "short",
            {"{{reader}}": "sum by (reader) (tightrope_lag_records)"},
            Look.QUIET,
        ),
        lines(
            "Requests dropped",
            "By reason; old artefacts are what a deployment leaves behind.",
            "reqps",
            {"{{reason}}": growth("tightrope_samples_dropped_total", "reason", M)},
            Look.QUIET,
        ),
        lines(
            "Dead records",
            "By topic.",
            "short",
            {"{{topic}}": f"sum by (topic) (increase(tightrope_dead_records_total{RATE}))"},
            Look.QUIET,
        ),
        lines(
            "Rows that could not be compared",
            "By model.",
            "ops",
            {"{{model}}": growth("tightrope_comparison_errors_total", "model", M, 'scope="model"')},
            Look.QUIET,
        ),
    ],
)
BESIDE = Row(
    "Beside it",
    [
        lines(
            "Rows kept for reports",
            "And those that could not be, by reason.",
            "ops",
            {
                "kept": f"sum(rate(tightrope_archived_rows_total{M}{RATE}))",
                "{{reason}}": growth("tightrope_archive_skipped_rows_total", "reason", M),
            },
        ),
        lines(
            "Drift reports",
            "By how they ended.",
            "short",
            {"{{outcome}}": "sum by (outcome) (tightrope_reports_total)"},
            Look.QUIET,
        ),
        lines(
            "Posts of alerts",
            "To every Alertmanager, by outcome.",
            "short",
            {"{{outcome}}": f"sum by (outcome) (increase(tightrope_alert_posts_total{RATE}))"},
        ),
    ],
)


BUS = Row(
    "The bus, and what is served elsewhere",
    [
        lines(
            "Waiting to be acknowledged",
            "Records that the brokers have not taken yet; only in a cluster.",
            "short",
            {"{{instance}}": "sum by (instance) (tightrope_bus_waiting_records)"},
        ),
        lines(
            "Never taken",
            "Records that were lost on the way to the bus, by topic and reason.",
            "ops",
            {"{{topic}} {{reason}}": growth("tightrope_undelivered_records_total", "topic, reason", "")},
            Look.QUIET,
        ),
        lines(
            "Came again",
            "Rows that were delivered twice, and not counted twice.",
            "ops",
            {"{{model}}": growth("tightrope_comparisons_repeated_total", "model", M)},
            Look.QUIET,
        ),
        lines(
            "Silence of the judges",
            "Since each gateway last heard of them; modes stay as they are meanwhile.",
            "s",
            {"{{instance}}": "max by (instance) (tightrope_control_age_seconds)"},
        ),
        lines(
            "Partitions dealt out anew",
            "A worker or a judge came or went; only in a cluster.",
            "short",
            {"{{reader}}": "sum by (reader) (increase(tightrope_rebalances_total[$__rate_interval]))"},
            Look.QUIET,
        ),
        lines(
            "Rows compared at once",
            "The 95th percentile: the larger, the busier the workers.",
            "short",
            {"rows": f"histogram_quantile(0.95, {growth('tightrope_batch_rows_bucket', 'le', '')})"},
        ),
        lines(
            "Payload events",
            "Of models that are served elsewhere, by what became of them.",
            "ops",
            {"{{outcome}}": growth("tightrope_payload_events_total", "outcome", M)},
        ),
        lines(
            "Models elsewhere",
            "1 while their server says that it is ready, whether anybody asks them or not.",
            "short",
            {"{{model}} {{role}}": f"min by (model, role) (tightrope_endpoint_up{M})"},
        ),
    ],
    folded=True,
)


def _processes() -> Row:
    own = '{job=~"tightrope.*"}'
    return Row(
        "Processes",
        [
            lines(
                "Processor",
                "Of each process.",
                "short",
                {"{{instance}}": f"rate(process_cpu_seconds_total{own}{RATE})"},
            ),
            lines("Memory", "Of each process.", "bytes", {"{{instance}}": f"process_resident_memory_bytes{own}"}),
            lines("Open files", "Of each process.", "short", {"{{instance}}": f"process_open_fds{own}"}),
        ],
        folded=True,
    )


def pipeline() -> Json:
    """The whole dashboard."""
    return dashboard(
        "tightrope-pipeline",
        "Tightrope / Pipeline",
        "From the request over the shadow to the verdict: what waits, what is lost.",
        [variable("model", "Model", MODELS, several=True)],
        [NOW, FLOW, BESIDE, BUS, _processes()],
    )
