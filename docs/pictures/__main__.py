"""Draw the dashboards: `python -m docs.pictures`; ``--again`` draws from an earlier recording."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from docs.pictures.album import PICTURES, digests, store_digests
from docs.pictures.draw import build, draw
from docs.pictures.query import View, query_dashboard
from docs.pictures.record import SCRAPE_SECONDS, Moments, record, recorded
from tightrope.dashboards.boards import boards

FOLDER = Path(__file__).parents[2] / "build" / "pictures"


def main() -> None:
    """Record the demo, query Prometheus, draw; write the pictures and the digests of the dashboards they show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--again", type=Path, nargs="?", const=FOLDER, help="draw an earlier recording, from this folder"
    )
    parser.add_argument("--only", default="", help="only pictures whose file name has this prefix; writes no digests")
    parser.add_argument("--to", type=Path, default=Path(__file__).parents[1], help="the folder for the pictures")
    arguments = parser.parse_args()
    folder = arguments.again or FOLDER
    if not arguments.again:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        record(folder)
    moments = Moments.load(folder)
    with tempfile.TemporaryDirectory() as name, recorded(folder) as prometheus:
        build(Path(name))
        for picture in PICTURES:
            if picture.file.startswith(arguments.only):
                view = View(moments.began, getattr(moments, picture.until), SCRAPE_SECONDS, picture.variables)
                shown = query_dashboard(prometheus, boards()[picture.uid], view)
                draw(Path(name), shown, arguments.to / picture.file, picture.width, picture.lines)
                sys.stdout.write(f"{arguments.to / picture.file}\n")
    if arguments.to == Path(__file__).parents[1] and not arguments.only:
        store_digests(digests())


if __name__ == "__main__":
    main()
