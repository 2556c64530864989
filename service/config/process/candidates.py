"""The configuration of the trial of a model file before it serves."""

from typing import Annotated

from pydantic import Field

from tightrope.service.config.section import Section


class CandidatesSection(Section):
    """How a deployment and `tightrope check` try a model file: in a process of its own, which can neither hang, exhaust
    nor crash the server.
    """

    seconds: Annotated[float, Field(gt=0, le=86_400)] = 120.0
    """Time limit for loading a model's files and running them on made-up and golden rows; at a start, for each of these
    steps.
    """
    memory_bytes: Annotated[int, Field(ge=256 * 1024 * 1024)] = 4 * 1024**3
    """Memory limit of that process, the interpreter's 150 MB included; the memory that is available, if that is less.
    """
    waiting: Annotated[int, Field(ge=0, le=16)] = 4
    """Deployments and rollbacks that wait for the one that is under way; more are refused with 503 and Retry-After."""
