from pathlib import Path

import pytest

from service.settings import ConfigError, load
from tests.harm import config
from tests.servers import write_config
from tightrope.embedded import wire_up
from tightrope.server import HttpServer, Listening


def test_port_in_use_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    """Found before anything is started; the line says which address."""
    settings = load(write_config(tmp_path, config(tmp_path)), {})
    parts = wire_up(settings)
    first = HttpServer(settings.server, parts.service.app)
    taken = first._listener.getsockname()[1]
    with pytest.raises(ConfigError, match=rf"cannot listen: Address already in use.*{taken}"):
        HttpServer(settings.server.model_copy(update={"port": taken}), parts.service.app)
    first._listener.close()
    parts.store.close()


def test_server_announces_where_it_listens_and_drains(tmp_path: Path) -> None:
    """Told to stop as soon as it is ready, it has listened on the address that it announced."""
    settings = load(write_config(tmp_path, config(tmp_path)), {})
    parts = wire_up(settings)
    server = HttpServer(settings.server, parts.service.app)
    port = server._listener.getsockname()[1]
    told: list[Listening] = []

    def ready(at: Listening) -> None:
        told.append(at)
        server.should_exit = True

    parts.start()
    server.serve_until_told(ready)
    parts.stop()
    assert told == [Listening("127.0.0.1", port)]
