"""The section of the server: bodies fit what is held at a time, and paths are relative to the file."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tightrope.service.config.process.server import BODIES_IN_FLIGHT, ServerSection


def test_bodies_in_flight_hold_several_of_the_largest() -> None:
    """Unless a limit is written, which must hold one."""
    assert ServerSection(max_body_bytes=2048).bytes_in_flight == BODIES_IN_FLIGHT * 2048
    with pytest.raises(ValidationError, match="must be at least max_body_bytes"):
        ServerSection.model_validate({"limits": {"bytes_in_flight": 65_536}})


def test_files_of_tokens_are_relative_to_the_configuration() -> None:
    """All of them; what is not written stays so."""
    section = ServerSection.model_validate(
        {"operators": {"ann": "a"}, "operators_file": "all", "view_token_file": "/v", "control_token_file": "c"}
    ).resolved(Path("/etc"))
    assert section.operators == {"ann": Path("/etc/a")}
    assert (section.operators_file, section.view_token_file) == (Path("/etc/all"), Path("/v"))
    assert section.control_token_file == Path("/etc/c")
    assert ServerSection().resolved(Path("/etc")) == ServerSection()
