"""Twenty rows are reviewed by keyboard alone in a real Chromium; the answers become labels of a real server."""

import csv
from io import StringIO
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.support.configs import TOKEN
from tests.support.front_page.browser import SIZES
from tests.support.servers import Server
from tests.support.serving.reviewers import REVIEWERS, SENT, waiting
from tests.support.serving.service_harness import eventually

REVIEWED = 20
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def opened(browser: Browser, server: Server, size: str, scheme: Any) -> tuple[Page, list[str]]:  # noqa: ANN401 - a literal
    """Sign in as Ana by keyboard; the page and the messages of its console."""
    width, height = SIZES[size]
    page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(f"{server.address}/review")
    page.wait_for_selector("input")
    while page.evaluate("document.activeElement.name") != "token":
        page.keyboard.press("Tab")
    page.keyboard.type(REVIEWERS["ana"])
    page.keyboard.press("Enter")
    page.wait_for_selector(".answers")
    return page, messages


@pytest.mark.parametrize(("size", "scheme"), [("1440", "light"), ("phone", "dark")])
def test_page_breaks_no_rule_of_accessibility(reviewed: Server, chromium: Browser, size: str, scheme: str) -> None:
    """No finding of axe-core, nothing is cut at the right, no console message; names of values are text."""
    page, messages = opened(chromium, reviewed, size, scheme)
    assert "who" in page.inner_text(".input")
    assert page.locator(".input b").count() == 0
    page.evaluate(Axe().axe_script)
    options = {"runOnly": {"type": "tag", "values": AXE_TAGS}}
    found = page.evaluate("options => axe.run(document, options).then(result => result.violations)", options)
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    assert messages == []
    page.context.close()


def test_twenty_rows_are_reviewed_by_keyboard_and_become_labels(reviewed: Server, chromium: Browser) -> None:
    """Always the answer `right`, wherever it stands; one answer is taken back and given again."""
    page, messages = opened(chromium, reviewed, "1440", "light")
    sides = []
    for number in range(REVIEWED):
        shown = page.locator(".answers button").all_inner_texts()
        sides.append("a" if "right" in shown[0] else "b")
        page.keyboard.press(sides[-1])
        page.wait_for_selector(f"text={number + 1} answered by you")
        if number == 0:
            page.keyboard.press("u")
            page.wait_for_selector("text=Taken back.")
            page.keyboard.press(sides[-1])
            page.wait_for_selector("text=1 answered by you")
    assert messages == []
    page.context.close()
    assert set(sides) == {"a", "b"}, "a coin of 20 throws"
    assert waiting(reviewed, "ana") == SENT - REVIEWED

    labels = eventually(lambda: joined(reviewed) >= REVIEWED - 1 and joined(reviewed))
    assert labels == REVIEWED - 1, "the last one can still be taken back"
    text = reviewed.client.get("/v1/reviews.csv?model=m", headers=OPERATOR).text
    lines = list(csv.DictReader(StringIO(text)))
    assert [(line["id"], line["label"], line["probability"]) for line in lines] == [
        (f"r-{number:02d}", "1", "1.0") for number in range(REVIEWED - 1)
    ]
    assert {line["answer"]: line["order"] for line in lines} == {
        "a": "baseline,compressed",
        "b": "compressed,baseline",
    }
    status = reviewed.client.get("/v1/models/m/reviews", headers=OPERATOR).json()
    assert sum(status["answers"].values()) == REVIEWED - 1
    assert (status["asked_twice"], status["kappa"]) == (0, None)


def joined(server: Server) -> int:
    """The labels that found their row."""
    found: int = server.client.get("/v1/models/m").json()["judged"]["labels"].get("joined", 0)
    return found
