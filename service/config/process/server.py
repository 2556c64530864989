"""The section of the gateway's ports, and of who may use them."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tightrope.service.config.process.limits import LimitsSection
from tightrope.service.config.section import Section

BODIES_IN_FLIGHT = 8
"""Bodies of the maximum size that are in flight at a time, where no limit is configured."""

OPERATOR_PATTERN = r"^[^\s:#][^:#\x00-\x1f\x7f]{0,98}[^\s:#]$|^[^\s:#]$"

OperatorName = Annotated[str, Field(pattern=OPERATOR_PATTERN)]
"""A person's name or address: up to 100 characters without a colon, a number sign, or white space at its ends."""


class ServerSection(Section):
    """Where the gateway listens, and the limits of requests."""

    host: str = "127.0.0.1"
    """The address to listen on; `::` is all addresses of IPv4 and IPv6."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """The port; 0 picks a free one."""
    grpc_port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """The port for gRPC; 0 picks a free one. No gRPC if left out; it needs the extra `grpc`."""
    processes: Annotated[int, Field(ge=1, le=256)] = 1
    """Number of processes of `tightrope serve` that share the port; see docs/cluster.md."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024 * 1024
    """Maximum size of a request body, also of an inflated one; a larger one is refused with 413 before it is read."""
    limits: LimitsSection = Field(default_factory=LimitsSection)
    """The other limits of connections and requests."""
    drain_seconds: Annotated[float, Field(ge=1, le=3600)] = 30.0
    """Time from SIGTERM to the end of the process. Within its first half all requests that were sent are answered; then
    samples and state are saved. After it the process ends by force, even if a run or a thread hangs.
    """
    control_token_file: Path | None = None
    """A file with the bearer token of the control API; or set TIGHTROPE_CONTROL_TOKEN. Without both the API is off."""
    operators: dict[OperatorName, Path] = Field(default_factory=dict)
    """For each operator, a file with a bearer token of their own, mode 0600 or 0440. Orders and deployments with it
    carry this name, not one that is typed; the token of `control_token_file` has no name of its own.
    """
    operators_file: Path | None = None
    """A file with more operators, a line `NAME: TOKEN` each, mode 0600 or 0440."""
    view_token_file: Path | None = None
    """A file with a bearer token for those who may look: at the data of the page, the overview, verdicts, events, costs
    and drift reports; mode 0600 or 0440. Operators may look, too. Inference, health and metrics need no token. If left
    out, all who reach the port may look.
    """
    readiness: Literal["serving", "strict"] = "serving"
    """serving: a gateway is ready when it can answer. strict: it is not ready while a model of it is blind, silent or
    of unknown mode; if all gateways are, none gets traffic, although the baseline would answer it.
    """
    cost_per_hour: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """The price of an hour of one processor, by which the week's letter says savings in money; needs `currency`."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    """The currency of `cost_per_hour`, such as EUR."""

    @model_validator(mode="after")
    def _keys_fit_together(self) -> Self:
        if self.bytes_in_flight < self.max_body_bytes:
            raise ValueError(f"limits.bytes_in_flight must be at least max_body_bytes, which is {self.max_body_bytes}")
        if self.cost_per_hour is not None and self.currency is None:
            raise ValueError("cost_per_hour needs currency, such as EUR")
        return self

    @property
    def bytes_in_flight(self) -> int:
        """The bytes of large requests and unread answers that are held at a time."""
        limit = self.limits.bytes_in_flight
        return BODIES_IN_FLIGHT * self.max_body_bytes if limit is None else limit

    def resolved(self, folder: Path) -> Self:
        """The section with its paths relative to a folder."""
        files = ("control_token_file", "operators_file", "view_token_file")
        changed = {name: folder / file for name in files if (file := getattr(self, name))}
        operators = {name: folder / file for name, file in self.operators.items()}
        return self.model_copy(update={**changed, "operators": operators})
