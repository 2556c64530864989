"""The address at which the gateway of a configuration answers on this machine."""

from tightrope.service.config.loader import ConfigError, Settings

ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - what a configuration may listen on, not an address to listen on


def gateway_address(settings: Settings) -> str:
    """Return the address, with http.

    Raises:
        ConfigError: when the gateway picks its port.
    """
    server = settings.server
    if not server.port:
        raise ConfigError(["server.port: is 0, so the gateway picks one: give its address instead"])
    host = "127.0.0.1" if server.host in ANY_ADDRESS else server.host
    return f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
