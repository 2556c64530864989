"""How the page and its files are served, by a real server."""

import re

import httpx
import pytest

from tightrope.service.api.front_page.routes import ASSETS_FOLDER, FRONT_PAGE_POLICY, INDEX, MEDIA_TYPES, UNSENT

FILES = sorted(path.name for path in ASSETS_FOLDER.iterdir() if path.name != INDEX)
PATHS = ["/", *(f"/page/{name}" for name in FILES)]
MOST_BYTES = 20_000
MOST_LINES = 200


@pytest.mark.parametrize("path", PATHS)
def test_each_file_is_served_with_its_type_and_the_policy(client: httpx.Client, path: str) -> None:
    """Nothing inline, nothing from elsewhere, no frame, no guess about types, no referrer, no old file."""
    answer = client.get(path)
    suffix = "." + path.rpartition(".")[2] if "." in path else ".html"
    assert answer.headers["content-type"].partition(";")[0] == MEDIA_TYPES[suffix]
    assert answer.headers["content-security-policy"] == FRONT_PAGE_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-cache"


def test_policy_forbids_everything_but_the_page_itself() -> None:
    """Texts of answers cannot become HTML: no policy for trusted types exists."""
    rules = dict(rule.split(" ", 1) for rule in FRONT_PAGE_POLICY.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == rules["frame-ancestors"] == "'none'"
    assert (rules["require-trusted-types-for"], rules["trusted-types"]) == ("'script'", "'none'")
    assert "unsafe" not in FRONT_PAGE_POLICY


def test_page_loads_nothing_from_elsewhere() -> None:
    """No file names another host, no script or style is inline, and no text is ever read as HTML."""
    for name in (INDEX, *FILES):
        text = (ASSETS_FOLDER / name).read_text()
        assert re.findall(r"https?://(?!www\.w3\.org/)", text) == [], name
        assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|\sstyle=", text) == [], name


def test_page_is_small(client: httpx.Client) -> None:
    """All files of one visit take at most 20 kB on the wire: of the icons, a visit loads one."""
    paths = [path for path in PATHS if not path.startswith("/page/icon-") or path.endswith("-note.svg")]
    sizes = {path: int(client.get(path).headers["content-length"]) for path in paths}
    assert client.get("/").headers["content-encoding"] == "gzip"
    assert sum(sizes.values()) <= MOST_BYTES, sizes


@pytest.mark.parametrize("path", PATHS)
def test_files_are_also_sent_as_they_are(client: httpx.Client, path: str) -> None:
    """A client without gzip gets the same bytes."""
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    assert ("content-encoding" in plain.headers, plain.content) == (False, client.get(path).content)


@pytest.mark.parametrize("path", ["/", "/page/page.js"])
def test_a_file_that_the_browser_has_is_not_sent_again(client: httpx.Client, path: str) -> None:
    """An ETag is the digest of the bytes; with it the answer is 304, with another the file."""
    tag = client.get(path).headers["etag"]
    again = client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert again.headers["content-security-policy"] == FRONT_PAGE_POLICY
    assert client.get(path, headers={"If-None-Match": 'W/"0"'}).status_code == 200


@pytest.mark.parametrize("name", ["index.html", "..%2froutes.py", "%2e%2e/routes.py", "nope.js"])
def test_no_other_file_is_served(client: httpx.Client, name: str) -> None:
    """Only the files that the page loads."""
    answer = client.get(f"/page/{name}")
    assert (answer.status_code, list(answer.json())) == (404, ["error"])


def test_links_are_relative() -> None:
    """The page works behind a proxy that adds a prefix."""
    links = re.findall(r'(?:href|src)="([^"]+)"', (ASSETS_FOLDER / INDEX).read_text())
    assert links
    assert [link for link in links if link.startswith("/")] == []
    for name in FILES:
        assert re.findall(r'fetch\([`"]/|from "/|get\([`"]/', (ASSETS_FOLDER / name).read_text()) == [], name


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_scripts_are_short_and_keep_their_meaning_on_the_wire(name: str) -> None:
    """Comments and indentation are left out, line by line: no text of a script spans lines, and none is lost."""
    source = (ASSETS_FOLDER / name).read_bytes()
    sent = UNSENT.sub(b"", source)
    lines = source.decode().splitlines()
    assert len(lines) <= MOST_LINES
    assert [line for line in lines if line.count("`") % 2] == []
    code = [line.partition(" // ")[0].strip() for line in lines if not line.startswith(("/**", " *"))]
    assert [line for line in sent.decode().splitlines() if line] == [line for line in code if line]
    assert len(sent.decode().splitlines()) == len(lines)


def test_documentation_keeps_its_place(client: httpx.Client) -> None:
    """`/docs` is the page of the API, as before."""
    assert "swagger" in client.get("/docs").text
