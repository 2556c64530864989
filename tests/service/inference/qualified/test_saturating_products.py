"""A model of 8-bit weights that was qualified where products saturate is refused where they do not, and the other way
round. A processor with VNNI computes exact products with and without `runtime.precise_int8`; the other host is then
played by golden answers that onnx's reference implementation computes with saturating products.
"""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from onnxruntime.quantization import QuantType, quantize_dynamic

from tests.support.configs import ROOT, write_config
from tests.support.qualified_pair import GOLDEN
from tests.support.qualified_reports import judge
from tests.support.saturating_host import reference_answer, saturates_here
from tests.support.servers import serving
from tightrope.demo.replay import DEMO_MODEL, traffic
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import ConfigError, load
from tightrope.service.inference.qualified.golden_answers import answer, decode_rows, distance, encode_answers
from tightrope.service.protocol.tensors import TensorSpec
from tightrope.service.statements.bundle import encode_statement, read_bundle, write_bundle
from tightrope.service.statements.envelope import Envelope
from tightrope.service.statements.qualification import QualificationStatement

OUTPUT = "probabilities"
LINE = re.compile(
    r"this host \(.*\) answers (?P<far>[\d.]+) away from the golden answers of compressed \(bound (?P<bound>[\d.]+)\); "
    r"set runtime\.precise_int8, or qualify here"
)


def written(folder: Path, quantized: Path, **changes: object) -> Path:
    """Write the configuration of the demo's baseline and this compressed model."""
    asked: dict[str, Any] = {"require": True, "criteria": {"disagreement": {"model": 0.07}}}
    model = {"baseline": str(ROOT / "demo/models/baseline_fp32.onnx"), "compressed": str(quantized)}
    state = {"state": str(folder / "state")}
    return write_config(folder, {"models": {DEMO_MODEL: {**model, "qualification": asked, **changes}}, **state})


def golden_rows_of(statement: QualificationStatement) -> dict[str, Any]:
    """The golden rows of a statement."""
    golden = statement.predicate.result.golden
    assert golden is not None
    return decode_rows(golden, [TensorSpec("input", "FP32", (-1, 16))])


def of_another_host(statement: QualificationStatement, quantized: Path) -> QualificationStatement:
    """The statement as a host with saturating products would have made it, if this one has exact ones."""
    golden = statement.predicate.result.golden
    assert golden is not None
    if saturates_here():
        return statement
    saturated = encode_answers(reference_answer(quantized, golden_rows_of(statement), OUTPUT, saturates=True))
    changed = msgspec.structs.replace(golden, answers={**golden.answers, "compressed": saturated})
    result = msgspec.structs.replace(statement.predicate.result, golden=changed)
    return msgspec.structs.replace(statement, predicate=msgspec.structs.replace(statement.predicate, result=result))


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's baseline with signed 8-bit weights, a scale for each column, and its statement of another host."""
    folder = tmp_path_factory.mktemp("quantized")
    path, bundle = folder / "s8.onnx", folder / "s8.onnx.intoto.jsonl"
    quantize_dynamic(ROOT / "demo/models/baseline_fp32.onnx", path, weight_type=QuantType.QInt8, per_channel=True)
    config = written(folder, path, compressed_runtime={"precise_int8": True})
    report = judge(load(config, {}), GOLDEN, folder, out=bundle, costs=False)
    assert report.verdict == "qualified"
    write_bundle(bundle, [Envelope(encode_statement(of_another_host(report.statement, path)))])
    return path


def test_reference_answers_as_this_host_does(quantized: Path) -> None:
    """Its answers with the other products are then those of another host."""
    (signed,) = read_bundle(quantized.with_name("s8.onnx.intoto.jsonl")).qualifications
    rows = golden_rows_of(signed.statement)
    ours = answer(OnnxModel(quantized), rows, [OUTPUT])
    assert distance(reference_answer(quantized, rows, OUTPUT, saturates=saturates_here()), ours) < 1e-5
    assert distance(reference_answer(quantized, rows, OUTPUT, saturates=not saturates_here()), ours) > 0.05


def test_host_with_other_products_is_refused_with_the_distance(tmp_path: Path, quantized: Path) -> None:
    """The distance is three to five times the bound, which batches of the model itself need."""
    with pytest.raises(ConfigError) as refused:
        load_pairs(load(written(tmp_path, quantized), {}))
    (line,) = refused.value.problems
    found = LINE.search(line)
    assert found is not None
    assert 0.06 <= float(found["far"]) <= 0.11
    assert float(found["bound"]) <= 0.025


def test_baseline_serves_on_a_host_with_other_products(tmp_path: Path, quantized: Path) -> None:
    """The server is ready, and says why."""
    path = written(tmp_path, quantized, qualification={"require": True, "otherwise": "baseline"})
    with serving(path) as server:
        ready = server.client.get("/v2/health/ready")
        assert (ready.status_code, bool(LINE.search(ready.json()["models"][DEMO_MODEL]))) == (200, True)
        tensors = [{"name": "input", "datatype": "FP32", "shape": [1, 16], "data": row.codes} for row in traffic()[:20]]
        bodies = [{"inputs": [tensor]} for tensor in tensors]
        answers = [server.client.post(f"/v2/models/{DEMO_MODEL}/infer", json=body).json() for body in bodies]
    assert {each["parameters"]["served_by"] for each in answers} == {"baseline"}
