"""The configuration of onnxruntime. A field's text gives its meaning; docs/configuration.md is made of them."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tightrope.service.config.section import Section


class RuntimeSection(Section):
    """Options of onnxruntime for a model that is a file; see docs/operations.md."""

    providers: Annotated[list[str], Field(min_length=1)] = Field(default=["CPUExecutionProvider"])
    """Execution providers in order of preference; the CPU runs the nodes that no provider supports."""
    provider_options: dict[str, dict[str, str | int | float | bool]] = Field(default_factory=dict)
    """Options of each provider, such as device_id; see onnxruntime's documentation."""
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    """Threads of one node of one call (intra-op). Calls run concurrently anyway, where that pays."""
    node_threads: Annotated[int, Field(ge=1, le=256)] = 1
    """Nodes of one call that run concurrently (inter-op); more than 1 needs execution: parallel."""
    execution: Literal["sequential", "parallel"] = "sequential"
    """sequential: one node after the other. parallel: branches of the graph concurrently."""
    optimization: Literal["none", "basic", "extended", "all"] = "all"
    """Level of graph optimization at load time; a lower level loads faster and may run slower."""
    arena: bool = True
    """Whether memory is kept between calls. Without it a process uses less memory after a large batch."""
    memory_pattern: bool = True
    """Whether the memory for a call of a known shape is allocated at once. Sequential execution only."""
    precise_int8: bool = False
    """Whether 8-bit products are exact on x86 processors without VNNI, whose instructions saturate: slower, and with
    the answers of those that have it (onnxruntime's `session.x64quantprecision`).
    """
    warm_up_rows: Annotated[int, Field(ge=1, le=4096)] | None = None
    """A gateway is not ready before both models have run batches of 1, 2, 4 and so on up to this many rows."""

    @property
    def answer_options(self) -> dict[str, Any]:
        """The options that may change a model's answers, in JSON types. Precise products are in it only where they are
        on, so that digests of configurations without them stay.
        """
        options = self.model_dump(mode="json", include={"providers", "provider_options", "optimization"})
        return options | ({"precise_int8": True} if self.precise_int8 else {})

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        duplicate = next((name for name in self.providers if self.providers.count(name) > 1), None)
        if duplicate is not None:
            raise ValueError(f"providers has {duplicate!r} twice")
        stray = next((name for name in self.provider_options if name not in self.providers), None)
        if stray is not None:
            raise ValueError(f"provider_options has {stray!r}, which is not in providers")
        if self.node_threads > 1 and self.execution != "parallel":
            raise ValueError("node_threads above 1 needs execution: parallel")
        return self
