"""Optional dependencies that a configuration needs."""

import importlib.util

from tightrope.service.config.loader import Settings


def missing_extras(settings: Settings) -> list[str]:
    """A line for each key whose extra is not installed."""
    needed = [
        (settings.reports.every_seconds, "evidently", "reports.every_seconds: drift reports need", "reports"),
        (settings.server.grpc_port, "grpc_health", "server.grpc_port: gRPC needs", "grpc"),
        (
            settings.telemetry.otlp_endpoint,
            "opentelemetry.exporter.otlp.proto.http",
            "telemetry.otlp_endpoint: traces need",
            "otel",
        ),
    ]
    return [
        f"{words} more: pip install 'tightrope[{extra}]'"
        for value, package, words, extra in needed
        if value is not None and not _is_installed(package)
    ]


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False
