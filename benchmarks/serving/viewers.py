"""People who look at the page of a gateway while it is loaded: each asks for the overview as the page does.

How it works: a viewer is a thread that asks every `LOOK_SECONDS`, with the tag of its last answer, so that an answer
that did not change is not sent again. The looks of several viewers are spread over that time. A gateway without the
overview, as an old revision is, or one whose answer is late, counts as a failed look.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import urllib3

LOOK_SECONDS = 2.0
"""The page at `/` asks this often."""

ANSWER_SECONDS = 3.0
"""Time after which the page gives up an answer."""

OVERVIEW_PATH = "/v1/overview?limit=1"
OK, NOT_MODIFIED = 200, 304


class Viewers:
    """Viewers of gateways: ``looks`` and ``failed`` ones by the gateway's address."""

    def __init__(self, addresses: Sequence[str], count: int, seconds: float = LOOK_SECONDS) -> None:
        self.looks = dict.fromkeys(addresses, 0)
        self.failed = dict.fromkeys(addresses, 0)
        self._seconds = seconds
        self._end = threading.Event()
        self._counting = threading.Lock()
        self._threads = [
            threading.Thread(target=self._look, args=(address, index * seconds / count), daemon=True)
            for address in addresses
            for index in range(count)
        ]

    def start(self) -> None:
        """Start to look."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _look(self, address: str, first: float) -> None:
        tag, wait = "", first
        with urllib3.PoolManager(retries=False, timeout=ANSWER_SECONDS) as http:
            while not self._end.wait(wait):
                wait = self._seconds
                try:
                    headers = {"If-None-Match": tag} if tag else {}
                    answer = http.request("GET", address + OVERVIEW_PATH, headers=headers)
                    tag, is_seen = answer.headers.get("ETag", tag), answer.status in {OK, NOT_MODIFIED}
                except urllib3.exceptions.HTTPError:
                    is_seen = False
                with self._counting:
                    self.looks[address] += 1
                    self.failed[address] += not is_seen


@contextmanager
def watching(addresses: Sequence[str], count: int) -> Iterator[Viewers]:
    """``count`` viewers of each address, until the block ends."""
    viewers = Viewers(addresses, count)
    viewers.start()
    try:
        yield viewers
    finally:
        viewers.stop()
