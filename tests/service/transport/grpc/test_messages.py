"""The messages are field by field those of a stock client; the output of `make proto` is up to date."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tritonclient.grpc import service_pb2  # type: ignore[import-untyped]

from tests.house.sources import ROOT
from tightrope.service.transport.grpc import messages

HOME = ROOT / "service" / "transport" / "grpc"


def fields(descriptor: Any) -> dict[str, Any]:  # noqa: ANN401 - of either library's pool
    """The wire format of a message: number, type and repetition of every field, and those of nested messages."""
    result = {}
    for field in descriptor.fields:
        inner = field.message_type
        result[field.name] = (field.number, field.type, field.is_repeated, inner and inner.name)
    return result | {f"{kind.name}.": fields(kind) for kind in descriptor.nested_types}


KINDS = sorted(messages.DESCRIPTOR.message_types_by_name)


@pytest.mark.parametrize("name", KINDS)
def test_message_has_the_fields_of_a_stock_client(name: str) -> None:
    """Each has the same fields with the same numbers."""
    theirs = service_pb2.DESCRIPTOR.message_types_by_name[name]
    assert fields(messages.DESCRIPTOR.message_types_by_name[name]) == fields(theirs)
    assert len(KINDS) == 15


def test_calls_have_the_messages_of_a_stock_client() -> None:
    """Every declared call has the same messages there, single or streamed."""
    (ours,) = messages.DESCRIPTOR.services_by_name.values()
    theirs = service_pb2.DESCRIPTOR.services_by_name[ours.name]
    assert ours.full_name == theirs.full_name == "inference.GRPCInferenceService"
    assert len(ours.methods) == 7
    for method in ours.methods:
        other = theirs.methods_by_name[method.name]
        for side in ("input_type", "output_type"):
            assert getattr(method, side).full_name == getattr(other, side).full_name
        assert (method.client_streaming, method.server_streaming) == (other.client_streaming, other.server_streaming)


def test_client_in_the_same_process_has_messages_of_its_own() -> None:
    """Both are loaded here, and each reads the other's messages."""
    assert messages.ModelReadyRequest is not service_pb2.ModelReadyRequest
    written = messages.ModelReadyRequest(name="né", version="7").SerializeToString()
    assert service_pb2.ModelReadyRequest.FromString(written).name == "né"


def test_compiled_messages_are_up_to_date(tmp_path: Path) -> None:
    """The command of `make proto` gives the committed files, types included."""
    (line,) = [line for line in (ROOT / "Makefile").read_text().splitlines() if "grpc_tools.protoc" in line]
    command = shlex.split(line.partition("grpc_tools.protoc")[2].partition("&&")[0])
    (tmp_path / "open_inference.proto").write_text((HOME / "open_inference.proto").read_text())
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *command], check=True, cwd=tmp_path)
    assert (tmp_path / "open_inference.binpb").read_bytes() == (HOME / "open_inference.binpb").read_bytes()
    assert (tmp_path / "open_inference_pb2.pyi").read_text() == (HOME / "messages.pyi").read_text()
