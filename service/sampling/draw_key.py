"""The key of the draws: the configured secret, or one of the state folder."""

import logging

from tightrope.monitors.intake.sampling import SECRET_BYTES, DrawKey
from tightrope.service.adapters.secret_file import kept_secret
from tightrope.service.config.loader import Settings, draw_secret

log = logging.getLogger(__name__)

DRAW_FILE = "draw.secret"
"""The file in the state folder with the secret of the draws, where the configuration has none."""


def draw_key(settings: Settings) -> DrawKey:
    """The key of the draws: the configured secret, or one of this state folder.

    Raises:
        ConfigError: when the configured secret cannot be used.
    """
    configured = draw_secret(settings)
    if configured is None and settings.bus is not None:
        log.warning("sampling_secret_file: is not set, so replicas on other machines draw other samples of a retry")
    return DrawKey(configured or kept_secret(settings.state / DRAW_FILE, SECRET_BYTES))
