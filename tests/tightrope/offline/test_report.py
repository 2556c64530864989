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
from tests.support.configs import ROOT, write_config
from tests.support.harmful_pair import config
from tests.support.harmful_pair import traffic as harmful_traffic
from tests.support.judgement.compared_rows import ArchiveFolder, compared_batch
from tests.support.reports_interpreter import drawn_by_a_browser, interpreter, run
from tests.support.servers import Server, serving
from tests.support.serving.service_harness import eventually
from tightrope.demo.replay import traffic
from tightrope.offline.report import compare_golden
from tightrope.service.adapters.archive.report_store import content_security_policy, script_hashes
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load
from tightrope.service.inference.loading.pair_loading import golden_rows

ROWS = 600
REPORT_SECONDS = 300.0
"""Time for a report by another process on a busy machine, and until that process has ended."""
EVIL = "</script><script>document.title='owned'</script>"


def with_archived_rows(folder: Path, rows: int = 1200, **settings: object) -> Path:
    """Write a configuration whose state has compared rows of model ``m``; the first half is the reference."""
    ArchiveFolder(folder / "state" / "rows", keep=rows, reference=rows // 2).put(compared_batch(0, rows))
    return write_config(
        folder, {**config(folder), "reports": {"keep_rows": rows, "reference_rows": rows // 2, **settings}}
    )


def figures(folder: Path, model: str = "m") -> dict[str, Any]:
    """Return the newest report's figures."""
    newest = max((folder / "state" / "reports" / model).glob("*.json"))
    result: dict[str, Any] = json.loads(newest.read_text())["figures"]
    return result


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
        send(server, "employment", codes)
    ended = run("-m", "tightrope", "report", path, offline=True)
    assert (ended.returncode, "NETWORK" in ended.stderr) == (0, False), ended.stderr
    return folder


def send(server: Server, model: str, rows: np.ndarray[Any, Any]) -> None:
    """Send rows, a few hundred per request, and wait until they are archived."""
    for part in np.array_split(rows, max(len(rows) // 300, 1)):
        tensor = {"name": "input", "shape": part.shape, "datatype": "FP32", "data": part.ravel().tolist()}
        answer = server.client.post(f"/v2/models/{model}/infer", json={"inputs": [tensor]})
        assert answer.status_code == 200, answer.text


def page(folder: Path, model: str = "employment") -> str:
    """Return the newest report's page."""
    return max((folder / "state" / "reports" / model).glob("*.html")).read_text(encoding="utf-8")


def test_drift_of_the_demo_is_found(demo: Path) -> None:
    """Its traffic moves to group quarters: only that column drifts, and the models disagree more than before."""
    result = figures(demo, "employment")
    assert [one["column"] for one in result["columns"] if one["kind"] == "inputs" and one["drifted"]] == ["RELP"]
    model = result["scopes"]["model"]
    assert model["rows"] == {"reference": 4000, "window": 5000}
    assert model["disagreement"]["window"] > 2 * model["disagreement"]["reference"]
    assert set(result["scopes"]) == {"model", *load_pairs(load(demo / "tightrope.yaml", {}))["employment"].plan.scopes}


def test_page_loads_nothing(demo: Path) -> None:
    """It has no script, style, picture or font from elsewhere, and its content policy forbids any."""
    text = page(demo)
    library = max(re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL), key=len)
    assert not re.findall(r"(?:src|href|url\()\s*=?\s*[\"']?\s*(?:https?:)?//", text.replace(library, ""))
    assert (
        f'<meta http-equiv="Content-Security-Policy" content="{content_security_policy(script_hashes(text))}">' in text
    )
    assert text.count("<script") - library.count("<script") == 4


def test_page_renders_without_a_network(demo: Path, tmp_path: Path) -> None:
    """A browser runs its scripts under that policy: it draws charts and reports no error."""
    (tmp_path / "page.html").write_text(page(demo), encoding="utf-8")
    result, dom = drawn_by_a_browser(tmp_path / "page.html")
    assert "Content Security Policy" not in result
    body = dom.rpartition("</script>")[0]
    assert body.count('class="main-svg"') > 10
    assert "Drift in column 'RELP'" in body


def test_golden_rows_have_answers_of_both_models(demo: Path) -> None:
    """The worker that compares traffic compares them, with their subgroups."""
    settings = load(demo / "tightrope.yaml", {})
    pair = load_pairs(settings)["employment"]
    golden = golden_rows(pair, settings)
    assert golden is not None
    rows = compare_golden(pair, golden)
    assert len(rows) == 4000
    assert rows.inputs["input_0"].tolist() == golden.parts[0]["input"][:, 0].tolist()
    quarters = rows.member["residence=group_quarters"]
    disagree = rows.outcomes["prediction_baseline"] != rows.outcomes["prediction_compressed"]
    assert disagree.tolist() == (rows.outcomes["disagree"] == 1).tolist()
    assert disagree[quarters].mean() > 0.3 > disagree[~quarters].mean()


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report about difficult columns, made without a network and with warnings as errors."""
    folder: Path = tmp_path_factory.mktemp("hard")
    rng = np.random.default_rng(5)
    nan, n = float("nan"), ROWS
    x = np.stack([np.full(2 * n, nan), np.full(2 * n, 3.0), rng.normal(size=2 * n)], 1).astype(np.float32)
    x[n:, 1] = 4.0
    x[n : n + 50, 2] = np.inf
    words = rng.choice(np.array([EVIL, "<img src=x onerror=alert(1)>", "a & b", "\u2028\x00", "", "ä" * 99]), 2 * n)
    batches = []
    for start in (0, n):
        batch = compared_batch(start, n, member=np.arange(n)[:, None] % 3 == np.arange(3), confidence_compressed=nan)
        rows = slice(start, start + n)
        batches.append((batch, {"x": x[rows], "word": words[rows, None].astype(object)}))
    archive = ArchiveFolder(folder / "state" / "rows", keep=n, reference=n)
    archive.put(*(replace(batch, inputs=[inputs]) for batch, inputs in batches))
    path = write_config(folder, {**config(folder), "reports": {"reference_rows": n, "keep": 1}})
    ended = run("-m", "tightrope", "report", path, "--json", "--out", folder / "page.html", offline=True)
    assert (ended.returncode, "NETWORK" in ended.stderr) == (0, False), ended.stderr
    return folder


def test_difficult_columns_are_reported(hard: Path) -> None:
    """Constant, missing, infinite and text columns are each reported as such."""
    result = {(one["kind"], one["column"]): one for one in figures(hard)["columns"]}
    assert result["inputs", "x_0"]["note"] == "constant"
    assert result["inputs", "x_1"]["drifted"] is True
    assert result["inputs", "x_2"]["psi"] > 0
    assert result["inputs", "word_0"]["drifted"] is False
    assert result["outcomes", "confidence_compressed"]["note"] == "constant"


def test_values_are_escaped(hard: Path) -> None:
    """A string that looks like the end of a script is one category among others."""
    text = (hard / "page.html").read_text(encoding="utf-8")
    assert "document.title=" in text
    assert "<script>document.title" not in text
    assert "<img" not in text.replace(max(re.findall(r"<script>(.*?)</script>", text, re.DOTALL), key=len), "")


def test_out_option_writes_the_page(hard: Path) -> None:
    """The page is also stored in the state folder."""
    assert (hard / "page.html").read_text(encoding="utf-8") == page(hard, "m")


def test_too_few_rows_have_their_own_exit_code(tmp_path: Path) -> None:
    """A line is printed, and nothing is stored."""
    ended = run("-m", "tightrope", "report", with_archived_rows(tmp_path, 300))
    assert ended.returncode == 3
    assert "m: no report yet: 150 reference rows and 150 newer ones" in ended.stdout
    assert not (tmp_path / "state" / "reports").exists()


def test_missing_rows_name_the_key_to_set(tmp_path: Path) -> None:
    """By default no rows are kept."""
    ended = run("-m", "tightrope", "report", write_config(tmp_path, config(tmp_path)))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "reports.keep_rows: is 0, so there are no rows to report about; set it, e.g. to 50000" in ended.stderr


def test_no_rows_are_stored_by_default(tmp_path: Path) -> None:
    """Callers' data reach the disk only if the configuration asks for it."""
    with serving(write_config(tmp_path, config(tmp_path))) as server:
        send(server, "m", harmful_traffic(900, harm=False))
        eventually(lambda: server.client.get("/v1/models/m").json()["judged"]["seen"])
    assert (tmp_path / "state" / "tightrope.db").exists()
    assert not (tmp_path / "state" / "rows").exists()


@pytest.mark.skipif(find_spec("evidently") is not None, reason="Evidently is installed here")
def test_missing_extra_is_one_line(tmp_path: Path) -> None:
    """The line says what to install; the exit code is 1."""
    ended = tightrope("report", with_archived_rows(tmp_path))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "error a drift report needs evidently: pip install 'tightrope[reports]'\n"


@pytest.mark.skipif(find_spec("evidently") is not None, reason="Evidently is installed here")
def test_schedule_needs_the_extra(tmp_path: Path) -> None:
    """The error comes at the start and names the key."""
    ended = tightrope("check", with_archived_rows(tmp_path, every_seconds=60))
    assert ended.returncode == 1
    assert "reports.every_seconds: drift reports need more: pip install 'tightrope[reports]'" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (["--model", "nobody"], "--model: is 'nobody'; it must be one of m"),
        (["--model", "m", "--out", "/nowhere/page.html"], "needs evidently|--out"),
    ],
)
def test_errors_are_one_line(tmp_path: Path, arguments: list[str], result: str) -> None:
    """Each error names its option."""
    ended = tightrope("report", with_archived_rows(tmp_path), *arguments)
    assert ended.returncode == 1
    assert re.search(result, ended.stderr)
    assert len(ended.stderr.strip().splitlines()) == 1


def test_out_option_needs_one_model(tmp_path: Path) -> None:
    """With several models one must be named."""
    two = config(tmp_path)
    two["models"]["n"] = two["models"]["m"]
    ended = tightrope("report", write_config(tmp_path, two), "--out", tmp_path / "page.html")
    assert "--out: takes the page of one model; name it with --model" in ended.stderr


def test_gateway_never_loads_the_report_libraries(tmp_path: Path) -> None:
    """Where Evidently is installed, a gateway with a schedule loads neither it nor pandas."""
    script = """
import sys
from pathlib import Path
from tightrope.service.config.loader import load
from tightrope.cli import main
from tightrope.wiring.embedded import build_embedded
build_embedded(load(Path(sys.argv[1]), {}), Path(sys.argv[1])).store.close()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"evidently", "pandas", "sklearn"}))
"""
    ended = run("-c", script, with_archived_rows(tmp_path, every_seconds=60))
    assert (ended.stdout, ended.returncode) == ("[]\n", 0), ended.stderr


def test_scheduled_report_is_made(tmp_path: Path) -> None:
    """Another process makes it from the gateway's traffic; the figures are listed and exported as metrics."""
    document = {
        **config(tmp_path),
        "reports": {"every_seconds": 1, "keep_rows": 1000, "reference_rows": 300, "keep": 1},
    }
    at_normal_priority = {"PATH": str(tmp_path)}  # has no `nice`: on a busy machine the lowest gets next to no time
    with serving(write_config(tmp_path, document), at_normal_priority, python=interpreter()) as server:
        send(server, "m", harmful_traffic(900, harm=False))
        (result,) = eventually(lambda: server.client.get("/v1/models/m/reports").json()["reports"], REPORT_SECONDS)
        assert result["figures"]["scopes"]["model"]["rows"] == {"reference": 300, "window": 600}
        drift = "tightrope_drift_rows"
        scraped = eventually(lambda: [x for x in metrics(server) if x.startswith(drift)], REPORT_SECONDS)
        assert 'tightrope_drift_rows{kind="window",model="m",scope="model"} 600.0' in scraped
        assert any(re.fullmatch(r'tightrope_reports_total{outcome="made"} [1-9].*', line) for line in metrics(server))
        loaded = Path(f"/proc/{server.process.pid}/maps").read_text(encoding="utf-8")
        assert "onnxruntime" in loaded
        assert "pandas" not in loaded


def metrics(server: Server) -> list[str]:
    """Return the lines of the exposition."""
    return server.client.get("/metrics").text.splitlines()
