"""The row of the dashboard *Pipeline* about the bus and about models on other servers."""

from tightrope.dashboards.panels import CHOSEN_MODELS, RATE_INTERVAL, LineStyle, PanelRow, lines, percentile_95, rate_by

BUS_ROW = PanelRow(
    "The bus, and what is served elsewhere",
    [
        lines(
            "Waiting to be acknowledged",
            "Published records that the brokers have not acknowledged yet; only in a cluster.",
            "short",
            {"{{instance}}": "sum by (instance) (tightrope_bus_waiting_records)"},
        ),
        lines(
            "Never taken",
            "Records per second that never reached the bus, by topic and reason.",
            "ops",
            {"{{topic}} {{reason}}": rate_by("tightrope_undelivered_records_total", "topic, reason", "")},
            LineStyle.QUIET,
        ),
        lines(
            "Came again",
            "Rows per second that were delivered again; they count once.",
            "ops",
            {"{{model}}": rate_by("tightrope_comparisons_repeated_total", "model", CHOSEN_MODELS)},
            LineStyle.QUIET,
        ),
        lines(
            "Not counted as evidence",
            "Rows that repeat a request or an input within a tick, so they are not evidence of their own.",
            "short",
            {"{{model}} {{reason}}": f"max by (model, reason) (tightrope_uncounted_rows{CHOSEN_MODELS})"},
        ),
        lines(
            "Hosts of compared rows",
            "Rows per second by the class of the host that computed the compressed model's answer.",
            "ops",
            {"{{model}} {{host}}": rate_by("tightrope_host_comparisons_total", "model, host", CHOSEN_MODELS)},
        ),
        lines(
            "Silence of the judges",
            "Time since each gateway last received a message of the judges; modes do not change meanwhile.",
            "s",
            {"{{instance}}": "max by (instance) (tightrope_control_age_seconds)"},
        ),
        lines(
            "Partitions dealt out anew",
            "Rebalances, caused by a worker or judge that joined or left; only in a cluster.",
            "short",
            {"{{reader}}": f"sum by (reader) (increase(tightrope_rebalances_total{RATE_INTERVAL}))"},
            LineStyle.QUIET,
        ),
        lines(
            "Rows compared at once",
            "95th percentile of the rows per batch; large batches mean busy workers.",
            "short",
            {"rows": percentile_95("tightrope_batch_rows_bucket", "", "")},
        ),
        lines(
            "Payload events",
            "Payload events per second of models that other servers run, by outcome.",
            "ops",
            {"{{outcome}}": rate_by("tightrope_payload_events_total", "outcome", CHOSEN_MODELS)},
        ),
        lines(
            "Models elsewhere",
            "1 while the model's server reports ready, with or without requests.",
            "short",
            {"{{model}} {{role}}": f"min by (model, role) (tightrope_endpoint_up{CHOSEN_MODELS})"},
        ),
    ],
    folded=True,
)
