"""The configuration of the tensors of one model of a pair, where they are not those that callers send and get."""

from pydantic import Field

from tightrope.service.config.section import Section


class TensorsSection(Section):
    """The tensors of one model, where their names are not those of the baseline; see docs/operations.md."""

    inputs: dict[str, str] = Field(default_factory=dict)
    """For an input of the model, the name that callers send it by."""
    outputs: dict[str, str] = Field(default_factory=dict)
    """For an output of the model, the name that callers get it by."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written."""
        return self == TensorsSection()
