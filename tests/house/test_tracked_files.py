from pathlib import Path

from tests.house.sources import ROOT, files

HOMES = ("work", "root", "home", "Users")
HOSTS = (("pypi", "org"), ("pythonhosted", "org"), ("anaconda", "org"), ("artifactory", ""), ("jfrog", "io"))


def needles() -> list[bytes]:
    """What must not be found, put together so that this file does not hold it."""
    paths = [f"/{home}/" for home in HOMES]
    return [text.encode() for text in [*paths, *(".".join(host) for host in HOSTS)]]


def found(content: bytes) -> list[str]:
    """Which of them a file holds."""
    return [needle.decode() for needle in needles() if needle in content]


def test_needles_are_found() -> None:
    """A path of this machine is seen, and so is the host of a registry."""
    here = f"see /{HOMES[0]}/main"
    assert found(here.encode()) == [f"/{HOMES[0]}/"]
    assert found(f"--index-url https://{'.'.join(HOSTS[0])}/simple".encode()) == [".".join(HOSTS[0])]
    assert found(b"a fraction of work, a root, at home") == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    """Not in code, documents or locks: the project builds anywhere, from the index that is configured there."""
    wrong = {str(path): names for path in files() if (names := found((ROOT / path).read_bytes()))}
    assert wrong == {}


def test_locks_pin_every_package_with_its_hashes() -> None:
    """Every line of a lock that names a package says which version, and which files that is."""
    locks = [path for path in files() if path.suffix == ".lock"]
    assert {Path(path).name for path in locks} >= {"requirements.lock", "requirements-dev.lock"}
    for path in locks:
        blocks = (ROOT / path).read_text().replace("\\\n", " ").splitlines()
        pins = [line for line in blocks if line and not line.startswith((" ", "#"))]
        assert len(pins) >= 10
        assert [pin for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []
