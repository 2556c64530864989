from pathlib import Path

from tests.house.sources import ROOT, files, paths

HOMES = ("work", "root", "home", "Users")
HOSTS = (("pypi", "org"), ("pythonhosted", "org"), ("anaconda", "org"), ("artifactory", ""), ("jfrog", "io"))


def needles() -> list[bytes]:
    """Return the forbidden texts, assembled so that this file does not contain them."""
    paths = [f"/{home}/" for home in HOMES]
    return [text.encode() for text in [*paths, *(".".join(host) for host in HOSTS)]]


def found(content: bytes) -> list[str]:
    """Return the forbidden texts that a file contains."""
    return [needle.decode() for needle in needles() if needle in content]


def test_needles_are_found() -> None:
    """A machine's path and a registry's host are both detected."""
    here = f"see /{HOMES[0]}/main"
    assert found(here.encode()) == [f"/{HOMES[0]}/"]
    assert found(f"--index-url https://{'.'.join(HOSTS[0])}/simple".encode()) == [".".join(HOSTS[0])]
    assert found(b"a fraction of work, a root, at home") == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    """The project builds anywhere, from the package index configured there."""
    wrong = {str(path): names for path in files() if (names := found((ROOT / path).read_bytes()))}
    assert wrong == {}


def test_every_link_leads_into_the_project() -> None:
    """One that leads out of it names a machine, and stands in the way of what the Makefile makes under its name."""
    links = [ROOT / path for path in paths() if (ROOT / path).is_symlink()]
    assert len(links) >= 5, "tightrope/ has one for each folder of the top level"
    assert [link for link in links if link.readlink().is_absolute() or not link.resolve().is_relative_to(ROOT)] == []


def test_locks_pin_every_package_with_its_hashes() -> None:
    """Every line of a lock that names a package pins its version and the hashes of its files."""
    locks = [path for path in files() if path.suffix == ".lock"]
    assert {Path(path).name for path in locks} >= {"requirements.lock", "requirements-dev.lock"}
    for path in locks:
        blocks = (ROOT / path).read_text().replace("\\\n", " ").splitlines()
        pins = [line for line in blocks if line and not line.startswith((" ", "#"))]
        assert len(pins) >= (3 if path.parent.name == "kinds" else 10)
        assert [pin for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []
