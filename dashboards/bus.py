"""The row of the dashboard *Pipeline* about the bus and about models on other servers."""

from tightrope.dashboards.panels import RECORDS, ROLE_NAMES, ROWS, LineStyle, PanelRow, lines
from tightrope.dashboards.queries import (
    ALL_PROCESSES,
    CHOSEN_MODELS,
    INSTALLATION,
    LEGEND,
    MODEL,
    OF_INSTALLATION,
    increase_by,
    of_role,
    percentile_95,
    rate_by,
)

BUS_ROW = PanelRow(
    "The bus, and what is served elsewhere",
    [
        lines(
            "Waiting to be acknowledged",
            "Published records that the brokers have not acknowledged yet; only in a cluster.",
            "short",
            {"{{instance}}": f"sum by ({INSTALLATION}, instance) (tightrope_bus_waiting_records{ALL_PROCESSES})"},
        ),
        lines(
            "Lost on the way",
            "Records per second that never reached the bus, by topic and reason.",
            RECORDS,
            {
                f"{{{{topic}}}} {{{{reason}}}} {OF_INSTALLATION}": rate_by(
                    "tightrope_undelivered_records_total", f"{INSTALLATION}, topic, reason", ALL_PROCESSES
                )
            },
            LineStyle.QUIET,
        ),
        lines(
            "Delivered again",
            "Rows per second that were delivered again; they count once.",
            ROWS,
            {LEGEND: rate_by("tightrope_comparisons_repeated_total", MODEL, CHOSEN_MODELS)},
            LineStyle.QUIET,
        ),
        lines(
            "Not counted as evidence",
            "Rows that repeat a request or an input within a tick, so they are not evidence of their own.",
            "short",
            {f"{LEGEND} {{{{reason}}}}": f"max by ({MODEL}, reason) (tightrope_uncounted_rows{CHOSEN_MODELS})"},
        ),
        lines(
            "Hosts of compared rows",
            "Rows per second by the class of the host that computed the small model's answer.",
            ROWS,
            {f"{LEGEND} {{{{host}}}}": rate_by("tightrope_host_comparisons_total", f"{MODEL}, host", CHOSEN_MODELS)},
        ),
        lines(
            "Silence of the judges",
            "Time since each gateway last received a message of the judges; meanwhile no group changes its model.",
            "s",
            {"{{instance}}": f"max by ({INSTALLATION}, instance) (tightrope_control_age_seconds{ALL_PROCESSES})"},
        ),
        lines(
            "Partitions dealt out anew",
            "Rebalances, caused by a worker or judge that joined or left; only in a cluster.",
            "short",
            increase_by("tightrope_rebalances_total", "reader"),
            LineStyle.QUIET,
        ),
        lines(
            "Rows compared at once",
            "95th percentile of the rows per batch; large batches mean busy workers.",
            "short",
            {f"rows {OF_INSTALLATION}": percentile_95("tightrope_batch_rows_bucket", INSTALLATION, ALL_PROCESSES)},
        ),
        lines(
            "Payload events",
            "Payload events per second of models that other servers run, by outcome.",
            "suffix:events/s",
            {
                f"{{{{outcome}}}} {OF_INSTALLATION}": rate_by(
                    "tightrope_payload_events_total", f"{INSTALLATION}, outcome", CHOSEN_MODELS
                )
            },
        ),
        lines(
            "Connections refused",
            "HTTP connections that gateways refused or ended, by the limit that they exceeded.",
            "short",
            increase_by("tightrope_refused_connections_total", "reason"),
            LineStyle.QUIET,
        ),
        lines(
            "Not comparable",
            "Requests not sampled, because one model wrote their state, which the other does not know.",
            "short",
            increase_by("tightrope_not_comparable_total", "model"),
            LineStyle.QUIET,
        ),
        lines(
            "Models elsewhere",
            "1 while the model's server reports ready, with or without requests.",
            "short",
            {
                f"{LEGEND} {name}": f"min by ({MODEL}) (tightrope_endpoint_up{of_role(CHOSEN_MODELS, role)})"
                for role, (name, _) in ROLE_NAMES.items()
            },
            defaults={"noValue": "No model is on another server"},
        ),
    ],
    folded=True,
)
