"""The demo's story, played once for everybody who looks at it."""

from collections.abc import Iterator

import pytest

from tests.theatre import Theatre, theatre


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """Everything up."""
    with theatre(tmp_path_factory.mktemp("theatre")) as found:
        yield found
