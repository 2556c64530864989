import json
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from tests.support.commands import tightrope
from tests.support.harmful_pair import config
from tests.support.harmful_pair import traffic as made
from tests.support.judgement.compared_rows import Shelf, compared
from tests.support.reports_interpreter import drawn_by_a_browser, interpreter, run
from tests.support.servers import ROOT, Server, serving, write_config
from tests.support.serving.service_harness import eventually
from tightrope.demo.replay import traffic
from tightrope.offline.report import answered
from tightrope.service.adapters.archive.report_store import policy, script_hashes
from tightrope.service.app import golden_rows, load_pairs
from tightrope.service.config.loader import load

ROWS = 600
EVIL = "</script><script>document.title='owned'</script>"


def shelved(folder: Path, rows: int = 1200, **settings: object) -> Path:
    """A configuration whose state has compared rows of model ``m``: the first half is the reference."""
    Shelf(folder / "state" / "rows", keep=rows, reference=rows // 2).put(compared(0, rows))
    return write_config(
        folder, {**config(folder), "reports": {"keep_rows": rows, "reference_rows": rows // 2, **settings}}
    )


def figures(folder: Path, model: str = "m") -> dict[str, Any]:
    """The newest report's figures."""
    newest = max((folder / "state" / "reports" / model).glob("*.json"))
    told: dict[str, Any] = json.loads(newest.read_text())["figures"]
    return told


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's configuration with golden rows, its state filled by real traffic, and a report made offline."""
    folder: Path = tmp_path_factory.mktemp("demo")
    document = YAML(typ="safe").load(ROOT / "demo" / "tightrope.yaml")
    pair = document["models"]["employment"]
    pair |= {name: str(ROOT / "demo" / pair[name]) for name in ("baseline", "compressed")}
    pair["golden"] = str(ROOT / "demo" / "data" / "golden.csv")
    path = write_config(folder, {**document, "reports": {"keep_rows": 20_000, "reference_rows": 4000}})
    with serving(path) as server:
        codes = np.array([row.codes for row in traffic()[-6000:]])
        ask(server, "employment", codes)
    done = run("-m", "tightrope", "report", path, offline=True)
    assert (done.returncode, "NETWORK" in done.stderr) == (0, False), done.stderr
    return folder


def ask(server: Server, model: str, rows: np.ndarray[Any, Any]) -> None:
    """Send rows, a few hundred a request, and wait until they are archived."""
    for part in np.array_split(rows, max(len(rows) // 300, 1)):
        tensor = {"name": "input", "shape": part.shape, "datatype": "FP32", "data": part.ravel().tolist()}
        answer = server.client.post(f"/v2/models/{model}/infer", json={"inputs": [tensor]})
        assert answer.status_code == 200, answer.text


def page(folder: Path, model: str = "employment") -> str:
    """The newest report's page."""
    return max((folder / "state" / "reports" / model).glob("*.html")).read_text(encoding="utf-8")


def test_the_demo_s_drift_is_found(demo: Path) -> None:
    """Its traffic moves to group quarters: that column drifts, and none else; the models disagree more than then."""
    told = figures(demo, "employment")
    assert [one["column"] for one in told["columns"] if one["kind"] == "inputs" and one["drifted"]] == ["RELP"]
    model = told["scopes"]["model"]
    assert model["rows"] == {"reference": 4000, "window": 5000}
    assert model["disagreement"]["window"] > 2 * model["disagreement"]["reference"]
    assert set(told["scopes"]) == {"model", *load_pairs(load(demo / "tightrope.yaml", {}))["employment"].plan.scopes}


def test_the_page_needs_nobody(demo: Path) -> None:
    """No script, style, picture or font from elsewhere, and its own policy lets it reach nobody."""
    text = page(demo)
    library = max(re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL), key=len)
    assert not re.findall(r"(?:src|href|url\()\s*=?\s*[\"']?\s*(?:https?:)?//", text.replace(library, ""))
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy(script_hashes(text))}">' in text
    assert text.count("<script") - library.count("<script") == 4


def test_the_page_is_drawn_without_a_network(demo: Path, tmp_path: Path) -> None:
    """A browser runs its scripts under that policy: there are charts in it, and no complaint."""
    (tmp_path / "page.html").write_text(page(demo), encoding="utf-8")
    told, dom = drawn_by_a_browser(tmp_path / "page.html")
    assert "Content Security Policy" not in told
    body = dom.rpartition("</script>")[0]
    assert body.count('class="main-svg"') > 10
    assert "Drift in column 'RELP'" in body


def test_golden_rows_are_answered_by_both_models(demo: Path) -> None:
    """By the worker that compares traffic, with their subgroups: they are what traffic would have been."""
    settings = load(demo / "tightrope.yaml", {})
    pair = load_pairs(settings)["employment"]
    golden = golden_rows(pair, settings)
    assert golden is not None
    rows = answered(pair, golden)
    assert len(rows) == 4000
    assert rows.inputs["input_0"].tolist() == golden.inputs["input"][:, 0].tolist()
    quarters = rows.member["residence=group_quarters"]
    disagree = rows.outcomes["prediction_baseline"] != rows.outcomes["prediction_compressed"]
    assert disagree.tolist() == (rows.outcomes["disagree"] == 1).tolist()
    assert disagree[quarters].mean() > 0.3 > disagree[~quarters].mean()


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report about columns that break things, made with a network that refuses and with warnings as they come."""
    folder: Path = tmp_path_factory.mktemp("hard")
    rng = np.random.default_rng(5)
    nan, n = float("nan"), ROWS
    x = np.stack([np.full(2 * n, nan), np.full(2 * n, 3.0), rng.normal(size=2 * n)], 1).astype(np.float32)
    x[n:, 1] = 4.0
    x[n : n + 50, 2] = np.inf
    words = rng.choice(np.array([EVIL, "<img src=x onerror=alert(1)>", "a & b", "\u2028\x00", "", "ä" * 99]), 2 * n)
    batches = []
    for start in (0, n):
        batch = compared(start, n, member=np.arange(n)[:, None] % 3 == np.arange(3), confidence_compressed=nan)
        rows = slice(start, start + n)
        batches.append((batch, {"x": x[rows], "word": words[rows, None].astype(object)}))
    shelf = Shelf(folder / "state" / "rows", keep=n, reference=n)
    shelf.put(*(replace(batch, inputs=[inputs]) for batch, inputs in batches))
    path = write_config(folder, {**config(folder), "reports": {"reference_rows": n, "keep": 1}})
    done = run("-m", "tightrope", "report", path, "--json", "--out", folder / "page.html", offline=True)
    assert (done.returncode, "NETWORK" in done.stderr) == (0, False), done.stderr
    return folder


def test_constant_missing_infinite_and_text_columns_do_not_break_it(hard: Path) -> None:
    """Each is told for what it is."""
    told = {(one["kind"], one["column"]): one for one in figures(hard)["columns"]}
    assert told["inputs", "x_0"]["note"] == "constant"
    assert told["inputs", "x_1"]["drifted"] is True
    assert told["inputs", "x_2"]["psi"] > 0
    assert told["inputs", "word_0"]["drifted"] is False
    assert told["outcomes", "confidence_compressed"]["note"] == "constant"


def test_what_callers_sent_stays_text(hard: Path) -> None:
    """A string that looks like the end of a script is one category among others."""
    text = (hard / "page.html").read_text(encoding="utf-8")
    assert "document.title=" in text
    assert "<script>document.title" not in text
    assert "<img" not in text.replace(max(re.findall(r"<script>(.*?)</script>", text, re.DOTALL), key=len), "")


def test_the_page_is_written_where_it_was_asked_for(hard: Path) -> None:
    """As well as to the state folder."""
    assert (hard / "page.html").read_text(encoding="utf-8") == page(hard, "m")


def test_too_few_rows_are_refused_with_a_code_of_their_own(tmp_path: Path) -> None:
    """A clear line instead of a report; nothing is stored."""
    done = run("-m", "tightrope", "report", shelved(tmp_path, 300))
    assert done.returncode == 3
    assert "m: no report yet: 150 reference rows and 150 newer ones" in done.stdout
    assert not (tmp_path / "state" / "reports").exists()


def test_without_rows_kept_it_says_which_key_to_set(tmp_path: Path) -> None:
    """By default there are none: it is no matter of waiting for more."""
    done = run("-m", "tightrope", "report", write_config(tmp_path, config(tmp_path)))
    assert (done.returncode, done.stdout) == (1, "")
    assert "reports.keep_rows: is 0, so there are no rows to report about; set it, e.g. to 50000" in done.stderr


def test_by_default_nothing_that_callers_sent_reaches_the_disk(tmp_path: Path) -> None:
    """Whoever wants reports asks for their rows; nobody finds personal data on a disk by surprise."""
    with serving(write_config(tmp_path, config(tmp_path))) as server:
        ask(server, "m", made(900, harm=False))
        eventually(lambda: server.client.get("/v1/models/m").json()["judged"]["seen"])
    assert (tmp_path / "state" / "tightrope.db").exists()
    assert not (tmp_path / "state" / "rows").exists()


@pytest.mark.skipif(find_spec("evidently") is not None, reason="Evidently is installed here")
def test_without_the_extra_there_is_one_line(tmp_path: Path) -> None:
    """What to install, and exit code 1."""
    done = tightrope("report", shelved(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error a drift report needs evidently: pip install 'tightrope[reports]'\n"


@pytest.mark.skipif(find_spec("evidently") is not None, reason="Evidently is installed here")
def test_without_the_extra_no_schedule_is_accepted(tmp_path: Path) -> None:
    """Said at the start, naming the key, and not at the first report that fails."""
    done = tightrope("check", shelved(tmp_path, every_seconds=60))
    assert done.returncode == 1
    assert "reports.every_seconds: drift reports need more: pip install 'tightrope[reports]'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "nobody"], "--model: is 'nobody'; it must be one of m"),
        (["--model", "m", "--out", "/nowhere/page.html"], "needs evidently|--out"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: list[str], told: str) -> None:
    """As everywhere."""
    done = tightrope("report", shelved(tmp_path), *arguments)
    assert done.returncode == 1
    assert re.search(told, done.stderr)
    assert len(done.stderr.strip().splitlines()) == 1


def test_one_file_takes_one_page(tmp_path: Path) -> None:
    """With several models it must be said which."""
    two = config(tmp_path)
    two["models"]["n"] = two["models"]["m"]
    done = tightrope("report", write_config(tmp_path, two), "--out", tmp_path / "page.html")
    assert "--out: takes the page of one model; name it with --model" in done.stderr


def test_what_serves_never_loads_what_draws(tmp_path: Path) -> None:
    """Where Evidently is installed, a gateway with a schedule has not one of its modules, nor pandas."""
    script = """
import sys
from pathlib import Path
from tightrope.service.config.loader import load
from tightrope import cli, embedded
embedded.wire_up(load(Path(sys.argv[1]), {}), Path(sys.argv[1])).store.close()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"evidently", "pandas", "sklearn"}))
"""
    done = run("-c", script, shelved(tmp_path, every_seconds=60))
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_a_gateway_makes_reports_on_its_own(tmp_path: Path) -> None:
    """By its schedule, of traffic that it saw, in another process; the figures are listed and can be scraped."""
    document = {
        **config(tmp_path),
        "reports": {"every_seconds": 1, "keep_rows": 1000, "reference_rows": 300, "keep": 1},
    }
    with serving(write_config(tmp_path, document), python=interpreter()) as server:
        ask(server, "m", made(900, harm=False))
        (told,) = eventually(lambda: server.client.get("/v1/models/m/reports").json()["reports"], 300.0)
        assert told["figures"]["scopes"]["model"]["rows"] == {"reference": 300, "window": 600}
        scraped = eventually(lambda: [x for x in metrics(server) if x.startswith("tightrope_drift_rows")], 20.0)
        assert 'tightrope_drift_rows{kind="window",model="m",scope="model"} 600.0' in scraped
        assert any(re.fullmatch(r'tightrope_reports_total{outcome="made"} [1-9].*', line) for line in metrics(server))
        loaded = Path(f"/proc/{server.process.pid}/maps").read_text(encoding="utf-8")
        assert "onnxruntime" in loaded
        assert "pandas" not in loaded


def metrics(server: Server) -> list[str]:
    """The lines of the exposition."""
    return server.client.get("/metrics").text.splitlines()
