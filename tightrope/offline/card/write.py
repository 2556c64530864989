"""`tightrope card`: writes a model's card as Markdown and as HTML."""

from datetime import datetime
from pathlib import Path

from tightrope.offline.card.content import build_card
from tightrope.offline.card.markdown import card_markdown
from tightrope.offline.card.page import card_page
from tightrope.offline.card.sources import CardError, only_model, read_sources
from tightrope.offline.qualification.stages import QualificationStateError, replace_file
from tightrope.service.config.loader import Settings

CARD_NAMES = ("card.md", "card.html")


def write_card(
    settings: Settings, name: str | None, at: datetime, *, state: Path | None = None, out: Path | None = None
) -> list[Path]:
    """Write both files into a folder, by default that of the compressed model; returns their paths.

    Raises:
        CardError: when there is no statement, or a file cannot be written.
    """
    model = only_model(settings, name)
    content = build_card(read_sources(settings, model, at, state=state))
    compressed = settings.models[model].compressed
    assert isinstance(compressed, Path)  # noqa: S101 - `read_sources` has refused an endpoint
    folder = out or compressed.parent
    paths = [folder / each for each in CARD_NAMES]
    for path, text in zip(paths, (card_markdown(content), card_page(content)), strict=True):
        try:
            replace_file(path, text.encode())
        except QualificationStateError as error:
            raise CardError(str(error)) from error
    return paths
