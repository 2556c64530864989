import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from tightrope.service.adapters.journal.aes_cmac import FEW, AesCmac

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
MESSAGE = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=70)


def library_digest(text: str) -> bytes:
    """The digest by the library alone."""
    mac = CMAC(AES(KEY))
    mac.update(text.encode())
    return mac.finalize()


@pytest.mark.parametrize(
    ("size", "digest"),
    [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
    ],
)
def test_digests_are_those_of_the_standard(size: int, digest: str) -> None:
    """The examples of RFC 4493."""
    assert AesCmac(KEY).digest(MESSAGE[:size]).hex() == digest


@given(st.lists(TEXTS, min_size=FEW + 1, max_size=FEW + 9))
def test_digest_of_a_text_does_not_depend_on_the_others(texts: list[str]) -> None:
    """Texts of any size and with any character, line feeds too, have the digests of the library."""
    digests = AesCmac(KEY).digests(texts)
    assert [each.tobytes() for each in digests] == [*map(library_digest, texts)]


@pytest.mark.parametrize("count", [0, 1, FEW, FEW + 1, 1000])
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 31, 32, 33, 1024])
def test_texts_of_every_size_have_digests(size: int, count: int) -> None:
    """From none to a thousand, with blocks that are full, or nearly so, or empty."""
    texts = ["x" * size] * count
    assert AesCmac(KEY).digests(texts).tobytes() == library_digest("x" * size) * count
