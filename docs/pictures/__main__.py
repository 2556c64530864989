"""The command: `python -m docs.pictures`; with ``--again`` of what Prometheus has seen of an earlier play."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from docs.pictures.album import PICTURES, digests, note
from docs.pictures.ask import View, answers
from docs.pictures.draw import build, draw
from docs.pictures.play import SCRAPE, Moments, play, replayed
from tightrope.dashboards.boards import boards

FOLDER = Path(__file__).parents[2] / "build" / "pictures"


def main() -> None:
    """Play, ask, draw; write the pictures, and of which dashboards they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", type=Path, nargs="?", const=FOLDER, help="draw an earlier play, of this folder")
    parser.add_argument("--only", default="", help="only the pictures whose file begins so: nothing is noted")
    parser.add_argument("--to", type=Path, default=Path(__file__).parents[1], help="the folder of the pictures")
    given = parser.parse_args()
    folder = given.again or FOLDER
    if not given.again:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        play(folder)
    moments = Moments.of(folder)
    with tempfile.TemporaryDirectory() as name, replayed(folder) as prometheus:
        build(Path(name))
        for picture in PICTURES:
            if picture.file.startswith(given.only):
                view = View(moments.began, getattr(moments, picture.until), SCRAPE, picture.chosen)
                shown = answers(prometheus, boards()[picture.uid], view)
                draw(Path(name), shown, given.to / picture.file, picture.width, picture.lines)
                sys.stdout.write(f"{given.to / picture.file}\n")
    if given.to == Path(__file__).parents[1] and not given.only:
        note(digests())


if __name__ == "__main__":
    main()
