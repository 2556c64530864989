"""The demo's story, played once for everybody who looks at it."""

from collections.abc import Iterator

import pytest

from tests.debian import until
from tests.theatre import FIXED, HARMED, RETURN, TRIP, Theatre, theatre


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """Traffic until the harmed subgroup has tripped and both ways have told of it; then the fixed model, and more
    traffic until Prometheus has seen it return.
    """
    with theatre(tmp_path_factory.mktemp("theatre")) as stage:
        stage.send(TRIP)
        until(lambda: HARMED in stage.safe(), 30)
        stage.settle('ALERTS{alertname="TightropeSafeMode", alertstate="firing"}')
        stage.deploy(FIXED)
        stage.send(RETURN)
        until(lambda: HARMED not in stage.safe(), 60)
        until(lambda: stage.pager.alerts("resolved", scope=HARMED), 60)
        yield stage
