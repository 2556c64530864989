from html.parser import HTMLParser

from tightrope.service.adapters.journal.incident import Incident, Move
from tightrope.service.api.incidents.report import report_page

HARM = Move(79.0, "group=<img src=x>", "breach", "safe", "judge", "a < b")
INCIDENT = Incident("m-19700101-000119", "m", 79.0, 1, closed=207.0, moves=(HARM,), missing=("rows were left out",))


class Tags(HTMLParser):
    """The names of all elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the name."""
        del attrs
        self.names.add(tag)


def test_page_has_no_script_and_no_picture() -> None:
    """The names of groups are text, also those that look like elements."""
    page = report_page(INCIDENT).decode()
    assert not Tags(page).names & {"script", "img", "link", "iframe", "a", "form"}
    assert "&lt;img src=x&gt;" in page


def test_page_says_when_whom_and_whether_it_is_whole() -> None:
    """Times, the scope, each move in words, and what the record lacks."""
    page = report_page(INCIDENT).decode()
    for text in ("1970-01-01 00:01:19 UTC", "1970-01-01 00:03:27 UTC", "a &lt; b", "not complete: rows were left out"):
        assert text in page
    assert "The full model took over for" in page


def test_an_open_incident_and_one_that_only_advised_say_so() -> None:
    """Neither end nor moved traffic is made up."""
    page = report_page(Incident("i", "m", 79.0, 1, advisory=True, moves=(HARM,))).decode()
    assert "not yet" in page
    assert "none moved: the fallback only advises" in page
    assert report_page(INCIDENT) == report_page(INCIDENT)
