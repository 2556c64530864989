"""Changed bundles, keys, recipes and external data: nothing is accepted that was not signed, and nothing raises.

`make fuzz` runs many more examples, from a seed of its own.
"""

import json
import os
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.support.fuzz.signed_bundles import (
    APPROVED,
    EVE,
    LINES,
    SEATS,
    STATEMENT,
    Step,
    changed_bytes,
    examined,
    histories,
    history_envelopes,
    holds,
)
from tests.support.key_files import write_seed
from tests.support.onnx_models import external_tensor
from tests.support.statements import sample_opinion
from tightrope.offline.statements.manifest import ManifestError, encode_document, provenance, read_manifest
from tightrope.service.adapters.attestation.ed25519 import (
    KeyFileError,
    VerifyingKey,
    load_private_key,
    load_public_key,
)
from tightrope.service.adapters.model_files import ModelFileError, find_files
from tightrope.service.statements.bundle import parse_bundle, payload_digest
from tightrope.service.statements.envelope import Envelope, EnvelopeSignature, encode_envelope

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))
SEED = int(os.environ.get("FUZZ_SEED", "18"))
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
SIGNED = {payload_digest(envelope.payload) for envelope in APPROVED}
BASE64 = string.ascii_letters + string.digits + "+/-_="
LAST_CHARACTER = 85
"""Index of the last character of a signature in base64 before its padding: four of its bits mean nothing."""

BUNDLE = b"\n".join(LINES) + b"\n"


def test_bundle_of_the_fuzz_holds() -> None:
    """Otherwise nothing below would show anything."""
    assert examined(BUNDLE.splitlines()).holds


@seed(SEED)
@FUZZ
@given(changed_bytes(BUNDLE))
def test_changed_bundle_holds_only_with_what_was_signed(content: bytes) -> None:
    """Every payload that counts is one that was signed, byte for byte."""
    lines = content.splitlines()
    examination = examined(lines)
    if not examination.holds:
        assert all(reason.isprintable() for reason in examination.reasons)
        return
    assert examination.signed is not None
    assert examination.signed.digest == payload_digest(STATEMENT.payload)
    assert len({opinion.key for opinion in examination.opinions if opinion.role == "reviewer"}) == 1
    assert {approval.digest for approval in parse_bundle(lines).approvals} & SIGNED


@seed(SEED)
@FUZZ
@given(st.integers(0, 2), st.data())
def test_no_payload_with_a_changed_byte_is_accepted(which: int, data: st.DataObject) -> None:
    """Neither in the statement nor in an approval; the signatures stay."""
    envelope = APPROVED[which]
    index = data.draw(st.integers(0, len(envelope.payload) - 1))
    flip = data.draw(st.integers(1, 255))
    payload = bytearray(envelope.payload)
    payload[index] ^= flip
    changed = [Envelope(bytes(payload), envelope.signatures) if e is envelope else e for e in APPROVED]
    assert not examined([encode_envelope(each) for each in changed]).holds


@seed(SEED)
@FUZZ
@given(st.integers(1, 2), st.data())
def test_no_signature_with_a_changed_character_is_accepted(which: int, data: st.DataObject) -> None:
    """Each character of the base64 counts, also one that a lenient reader would skip."""
    signature = APPROVED[which].signatures[0]
    index = data.draw(st.just(LAST_CHARACTER) | st.integers(0, len(signature.sig) - 1))
    characters = st.sampled_from(BASE64) | st.characters(codec="utf-8")
    character = data.draw(characters.filter(lambda c: c != signature.sig[index]))
    sig = signature.sig[:index] + character + signature.sig[index + 1 :]
    changed = list(APPROVED)
    changed[which] = Envelope(APPROVED[which].payload, (EnvelopeSignature(sig, signature.keyid),))
    assert not examined([encode_envelope(each) for each in changed]).holds


@seed(SEED)
@FUZZ
@given(st.sets(st.integers(0, 2)), st.lists(st.sampled_from(["reviewer", "owner", "ana"]), max_size=4))
def test_another_key_is_no_help(left: set[int], roles: list[str]) -> None:
    """A stranger who signs in any role, with any subset of the lines: two approvals by listed keys are needed."""
    forged = [sample_opinion(STATEMENT, EVE, role) for role in roles]
    lines = [encode_envelope(each) for each in (*(APPROVED[index] for index in left), *forged)]
    assert examined(lines).holds == (left == {0, 1, 2})


@seed(SEED)
@FUZZ
@given(histories, st.sets(st.integers(0, 6)))
def test_deleted_lines_do_not_help(steps: list[Step], left: set[int]) -> None:
    """If some of the lines hold and all of them do not, the newest dissent is newer than those: nothing that
    is left could name it. With the dissents that a gateway kept, not even then.
    """
    opinions = history_envelopes(steps)
    remaining = [opinion for index, opinion in enumerate(opinions) if index in left]
    dissents = [index for index, (_, decision) in enumerate(steps) if decision == "dissent"]
    if holds(opinions):
        return
    if holds(remaining):
        assert max(left & {*range(len(steps))}) < max(dissents)
        assert any(
            "dissents" in line for line in examined([encode_envelope(e) for e in (STATEMENT, *opinions)]).reasons
        )
    assert not holds([*remaining, *(opinions[index] for index in dissents)])


@seed(SEED)
@FUZZ
@given(histories)
def test_latest_opinion_of_each_key_decides(steps: list[Step]) -> None:
    """A plain model: the last word of each, no dissent among them, and an approval in each role."""
    last = {SEATS[seat]: decision for seat, decision in steps}
    roles = {role for (role, _), decision in last.items() if decision == "approve"}
    assert holds(history_envelopes(steps)) == (roles == {"reviewer", "owner"} and "dissent" not in last.values())


@seed(SEED)
@FUZZ
@given(st.data())
def test_changed_key_file_is_refused_or_another_key(tmp_path: Path, data: st.DataObject) -> None:
    """A key that is read all the same signs and verifies nothing of the first one."""
    private, public = write_seed(tmp_path, "ana", b"ana".ljust(32, b"\0"))
    original = load_public_key(public)
    assert original.has_signed(APPROVED[1])
    for path, load in ((public, load_public_key), (private, load_private_key)):
        path.write_bytes(data.draw(changed_bytes(path.read_bytes())))
        try:
            key = load(path)
        except KeyFileError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017 - either is right
            continue
        changed = key if isinstance(key, VerifyingKey) else key.verifying_key("ana")
        assert changed.value == original.value or not changed.has_signed(APPROVED[1])


@seed(SEED)
@FUZZ
@given(st.lists(st.text(), max_size=4))
def test_any_recipe_is_json_or_one_line(tmp_path: Path, recipe: list[str]) -> None:
    """Texts of people, with any characters."""
    model = tmp_path / "model.onnx"
    model.write_bytes(b"")
    try:
        document = provenance(read_manifest(model, recipe, recipe, None, []))
    except ManifestError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 - either is right
        return
    assert json.loads(encode_document(document)) == document


NAMES = [
    "w.bin",
    "W.bin",
    "./w.bin",
    "sub/../w.bin",
    "../w.bin",
    "sub/w.bin",
    "SUB/w.bin",
    "/etc/passwd",
    "link",
    "out",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files of one content under several names, a link among them, and a link that leads out."""
    home = tmp_path / "home"
    for name in ("sub", "SUB"):
        (home / name).mkdir(parents=True, exist_ok=True)
    for name in ("../w.bin", "w.bin", "W.bin", "sub/w.bin", "SUB/w.bin"):
        (home / name).write_bytes(b"weights")
    (home / "link").symlink_to("w.bin")
    (home / "out").symlink_to("../w.bin")
    return home


def test_names_of_external_data_change_the_digest_or_are_refused(folder: Path) -> None:
    """Names that differ only by case, links, and dots: no two have one digest, and none leads out of the folder."""
    digests, refused = {}, set()
    for name in NAMES:
        path = folder / "model.onnx"
        path.write_bytes(model_with_tensor(name))
        try:
            digests[name] = find_files(path).digest
        except ModelFileError:
            refused.add(name)
    assert refused == {"../w.bin", "/etc/passwd", "out"}
    assert len({*digests.values()}) == len(digests) == len(NAMES) - 3


def test_link_that_leads_to_other_weights_is_another_model(folder: Path) -> None:
    """The content behind a link counts, not the link."""
    path = folder / "model.onnx"
    path.write_bytes(model_with_tensor("link"))
    before = find_files(path).digest
    (folder / "sub/w.bin").write_bytes(b"other")
    (folder / "link").unlink()
    (folder / "link").symlink_to("sub/w.bin")
    assert find_files(path).digest != before


def model_with_tensor(name: str) -> bytes:
    """A model whose tensor is in an external file of this name."""
    from onnx import helper

    graph = helper.make_graph([], "g", [], [], [external_tensor(name)])
    return helper.make_model(graph).SerializeToString()
