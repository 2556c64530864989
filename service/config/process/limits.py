"""The limits of what callers may send, so that no caller costs the others anything."""

from typing import Annotated

from pydantic import Field

from tightrope.service.config.section import Section


class LimitsSection(Section):
    """The limits of connections and requests; docs/serving.md tells which answer names which limit."""

    url_bytes: Annotated[int, Field(ge=256, le=65_536)] = 8192
    """Maximum size of a URL; a longer one is refused with 414."""
    header_bytes: Annotated[int, Field(ge=1024, le=1024 * 1024)] = 32_768
    """Maximum size of a request's headers together; more are refused with 431."""
    headers: Annotated[int, Field(ge=10, le=10_000)] = 100
    """Maximum number of a request's headers; more are refused with 431."""
    head_seconds: Annotated[float, Field(gt=0, le=3600)] = 20.0
    """Time in which URL and headers must arrive; a slower request is refused with 408."""
    body_seconds: Annotated[float, Field(gt=0, le=86_400)] = 120.0
    """Time in which a body must arrive; a slower one is refused with 408. An answer must be read in the same time."""
    connections: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    """Maximum number of connections of a process; further ones are refused with 503."""
    connections_per_peer: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Maximum number of connections from one address; further ones are refused with 429. Half of `connections` if left
    out. Raise it where all callers come through one proxy.
    """
    grpc_calls: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    """Maximum number of gRPC calls at a time; further ones are refused with RESOURCE_EXHAUSTED."""
    bytes_in_flight: Annotated[int, Field(ge=65_536)] | None = None
    """Bytes of large requests and unread answers that are held at a time; further ones are refused with 503. At least
    `server.max_body_bytes`; eight times that if left out.
    """
    rows: Annotated[int, Field(ge=1)] = 2_097_152
    """Maximum rows of a request; one with more is refused with 413."""
    elements: Annotated[int, Field(ge=1)] = 16_777_216
    """Maximum elements of a request's tensors together; one with more is refused with 413."""
    inflation_ratio: Annotated[int, Field(ge=2)] = 200
    """A compressed body may inflate to this many times its bytes, and always to 1 MiB; more is refused with 413. The
    inflated size is bounded by `server.max_body_bytes` as well.
    """
    decodings: Annotated[int, Field(ge=1, le=64)] = 2
    """Bodies that are inflated, or are above 64 KiB, and are decoded at a time; others wait."""
    json_depth: Annotated[int, Field(ge=8, le=256)] = 32
    """Maximum depth of arrays and objects in a JSON body; a deeper one is refused with 400."""

    @property
    def peer_connections(self) -> int:
        """The maximum number of connections from one address."""
        return max(1, self.connections // 2) if self.connections_per_peer is None else self.connections_per_peer
