import json
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.qualification.preregistration import criteria_digest

NUMBERS = st.integers(-1000, 1000) | st.floats(0.001, 100)


@given(st.dictionaries(st.text(max_size=5), NUMBERS | st.dictionaries(st.text(max_size=5), NUMBERS | st.booleans())))
def test_the_digest_is_that_of_plain_json(resolved: dict[str, object]) -> None:
    """Anyone can compute it: sorted keys, no spaces, UTF-8."""
    text = json.dumps(resolved, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert criteria_digest(resolved) == sha256(text.encode(errors="surrogatepass")).hexdigest()


def test_order_of_keys_does_not_matter_and_values_do() -> None:
    """The digest is that of the content."""
    assert criteria_digest({"a": 1, "b": 2}) == criteria_digest({"b": 2, "a": 1})
    assert criteria_digest({"a": 1}) != criteria_digest({"a": 1.0 + 1e-9})
