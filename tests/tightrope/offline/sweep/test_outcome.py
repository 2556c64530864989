import json
from pathlib import Path

from tests.support.sweeps import small_sweep
from tightrope.offline.sweep.outcome import sweep_document


def test_the_document_is_json_with_the_best_variant_first(tmp_path: Path) -> None:
    """Every figure of the table, and every cell as a statement has it."""
    document = json.loads(json.dumps(sweep_document(small_sweep(tmp_path))))
    assert (document["ok"], document["verdict"], document["recommended"]) == (True, "qualified", None)
    good, crossed = document["variants"]
    assert (good["name"], crossed["name"], crossed["candidate"]) == ("good.onnx", "crossed.onnx", False)
    assert crossed["seen"]["disagreement"]["side=right"] == 0.2
    breach = crossed["cells"][0]
    assert (breach["scope"], breach["outcome"], breach["rows"], breach["hits"]) == ("side=right", "breach", 200, 40)
    assert good["deflated_bytes"] > 0
    assert document["data"]["chosen_on"] + document["data"]["judged_on"] == 1000
