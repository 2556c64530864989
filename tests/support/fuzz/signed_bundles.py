"""Bundles signed with real keys, histories of opinions, and what an attacker without a key can do to a file."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from tests.support.statements import EXPECTED, NOW, SampleKey, sample_opinion, sample_statement
from tightrope.service.adapters.attestation.ed25519 import SigningKey
from tightrope.service.statements.bundle import parse_bundle
from tightrope.service.statements.envelope import PAYLOAD_TYPE, Envelope, EnvelopeSignature, encode_envelope
from tightrope.service.statements.examination import Examination, examine
from tightrope.service.statements.trust import Trust


class RealKey(SampleKey):
    """A person with an Ed25519 key, made from the name."""

    @property
    def signing(self) -> SigningKey:
        """The private key."""
        seed = self.name.encode().ljust(32, b"\0")
        return SigningKey(CryptoSigner(Ed25519PrivateKey.from_private_bytes(seed)))

    def sign(self, payload: bytes) -> EnvelopeSignature:
        """The signature of a payload."""
        return EnvelopeSignature(self.signing.sign(payload, PAYLOAD_TYPE), self.signing.keyid)


ANA, BO, CY, EVE = (RealKey(name) for name in ("ana", "bo", "cy", "eve"))
SEATS = (("reviewer", ANA), ("owner", BO), ("owner", CY))
"""The roles and their keys; one reviewer and one owner must approve."""

REAL_TRUST = Trust(
    {
        role: [key.signing.verifying_key(key.name) for each, key in SEATS if each == role]
        for role in ("reviewer", "owner")
    },
    {"reviewer": 1, "owner": 1},
)
STATEMENT = sample_statement()
APPROVED = [STATEMENT, *(sample_opinion(STATEMENT, key, role) for role, key in SEATS[:2])]
LINES = [encode_envelope(envelope) for envelope in APPROVED]

Step = tuple[int, str]
histories = st.lists(st.tuples(st.integers(0, len(SEATS) - 1), st.sampled_from(["approve", "dissent"])), max_size=7)
"""Opinions one after the other, as seat and decision; each names all before it."""


def history_envelopes(steps: Sequence[Step]) -> list[Envelope]:
    """The envelopes of a history."""
    opinions: list[Envelope] = []
    for number, (seat, decision) in enumerate(steps):
        role, key = SEATS[seat]
        opinions.append(sample_opinion(STATEMENT, key, role, decision, seen=opinions, note=str(number)))
    return opinions


def examined(lines: Sequence[bytes]) -> Examination:
    """The judgement about the lines of a bundle."""
    return examine(parse_bundle(lines), EXPECTED, REAL_TRUST, NOW)


def holds(envelopes: Sequence[Envelope]) -> bool:
    """Whether the statement with these opinions holds."""
    return examined([encode_envelope(envelope) for envelope in (STATEMENT, *envelopes)]).holds


@st.composite
def changed_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with up to four of its places overwritten, cut out, doubled or filled in."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(changed)))
        end = min(len(changed), start + draw(st.integers(0, 40)))
        piece = draw(st.sampled_from([b"", bytes(changed[start:end]) * 2]) | st.binary(max_size=8))
        changed[start:end] = piece
    return bytes(changed)
