"""The configuration of the tensors of one model of a pair, where they are not those that callers send and get."""

from pathlib import Path
from typing import Self, TypeAlias

from pydantic import Field

from tightrope.service.config.section import Section

Constant: TypeAlias = bool | int | float | Path
"""The value of an input that callers do not send."""


class TensorsSection(Section):
    """The tensors of one model, where their names are not those of the baseline; see docs/operations.md."""

    inputs: dict[str, str] = Field(default_factory=dict)
    """For an input of the model, the name that callers send it by."""
    outputs: dict[str, str] = Field(default_factory=dict)
    """For an output of the model, the name that callers get it by."""
    constants: dict[str, Constant] = Field(default_factory=dict)
    """For an input of the model that callers do not send, its value: a number, or the path of a .npy file."""

    prepare: Path | None = None
    """An ONNX file that makes inputs of the model of what callers send."""
    read: Path | None = None
    """An ONNX file that makes what callers get of outputs of the model, such as pooling."""

    @property
    def is_empty(self) -> bool:
        """Whether neither names nor constants are written."""
        return not (self.inputs or self.outputs or self.constants)

    @property
    def graphs(self) -> dict[str, Path]:
        """The ONNX files around the model, by their keys."""
        graphs = {"prepare": self.prepare, "read": self.read}
        return {key: path for key, path in graphs.items() if path is not None}

    def resolved(self, folder: Path) -> Self:
        """The section with its paths resolved against a folder."""
        files = {name: folder / value for name, value in self.constants.items() if isinstance(value, Path)}
        graphs = {key: folder / path for key, path in self.graphs.items()}
        return self.model_copy(update={"constants": {**self.constants, **files}, **graphs})
