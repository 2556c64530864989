from hashlib import blake2b

import pytest

from tightrope.service.adapters.journal import id_digests as module
from tightrope.service.adapters.journal.id_digests import (
    DIGEST_FORMS,
    DigestForm,
    available_form,
    digest_names,
    id_digest,
    id_digests,
)

KEY = b"k" * 32


@pytest.mark.parametrize("form", DIGEST_FORMS)
def test_digests_depend_on_id_and_key_alone(form: DigestForm) -> None:
    """Many at once are those of each one; another key has others."""
    ids = [f"r-{number % 40}" for number in range(100)]
    names = digest_names(id_digests(KEY, ids, form))
    assert names == [id_digest(KEY, name, form) for name in ids]
    assert len({*names}) == 40
    assert not {*names} & {*digest_names(id_digests(b"l" * 32, ids, form))}


def test_digests_of_an_earlier_version_are_found() -> None:
    """BLAKE2b under the key itself, 16 bytes."""
    assert id_digest(KEY, "ann", "blake2b") == blake2b(b"ann", key=KEY, digest_size=16).hexdigest()


def test_other_digests_are_made_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recording goes on where `cryptography` is not installed."""
    assert available_form() == "aes-cmac"
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    assert available_form() == "blake2b"
