"""The forty public pairs: how each is built, and the configuration by which it is served."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.support.kinds import shaped_models, small_networks, table_models, token_networks, wheel_models
from tests.support.kinds.small_networks import changed_pair, pruned_pair
from tests.support.kinds.table_models import label_pair
from tests.support.kinds.token_networks import int8_pair
from tests.support.kinds.wheel_models import VOICE, direction_pair, direction_pair_of_bytes, of_wheel

Options = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PublicPair:
    """A pair: ``make`` writes both models into a folder; ``decision`` and ``keys`` are its section of a configuration.

    ``sides`` are the free sides of a row of an input, ``most_rows`` the largest number of rows of a request. Numbers
    of a run with other rows differ by at most ``noise`` of batching.
    """

    make: Callable[[Path], None]
    decision: Options = field(default_factory=dict)
    keys: Options = field(default_factory=dict)
    sides: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    most_rows: int = 3
    noise: float = 1e-5

    def section(self, folder: Path) -> dict[str, object]:
        """The section of the configuration, for models that were written into a folder."""
        files = {role: str(folder / f"{role}.onnx") for role in ("baseline", "compressed")}
        return {**files, "mode": "armed", **({"decision": dict(self.decision)} if self.decision else {}), **self.keys}


LOGITS: Options = {"scale": "logits"}
BY_SUBGROUP: Options = {"subgroups": {"language": {"parameter": "language", "values": ["en", "de"]}}}
BY_COLUMN: Options = {"subgroups": {"band": {"column": 0, "values": {"low": {"low": -9, "high": 0}}}}}
BY_REGION: Options = {
    "subgroups": {"region": {"input": "region", "column": 0, "values": {"north": ["north"], "south": ["south"]}}}
}
MATRIX: Options = {"output": "probabilities"}
VOICE_SIDES = {"input": (512,), "state": (2, 128)}
VOICE_DECISION: Options = {"kind": "binary", "output": "output"}
DIRECTION_SIDES = {"x": (3, 48, 192)}

OF_WHEELS: Mapping[str, PublicPair] = {
    "magika": PublicPair(
        partial(of_wheel, file="magika/models/standard_v3_3/model.onnx", convert=wheel_models.int8),
        sides={"bytes": (2048,)},
        noise=5e-3,
    ),
    "ocr-cls": PublicPair(direction_pair, sides=DIRECTION_SIDES),
    "ocr-cls-uint8": PublicPair(direction_pair_of_bytes),
    "ocr-cls-static": PublicPair(partial(direction_pair_of_bytes, static=True)),
    "ocr-cls-fp16": PublicPair(partial(direction_pair, convert=wheel_models.fp16), sides=DIRECTION_SIDES, noise=2e-3),
    "ocr-det": PublicPair(
        partial(of_wheel, file=f"{wheel_models.OCR}/PP-OCRv6_det_small.onnx", convert=wheel_models.int8),
        {"kind": "positions", "threshold": 0.3},
        sides={"x": (3, 32, 32)},
    ),
    "ocr-rec": PublicPair(
        partial(of_wheel, file=f"{wheel_models.OCR}/PP-OCRv6_rec_small.onnx", convert=wheel_models.int8),
        {"kind": "text"},
    ),
    "silero-int8": PublicPair(
        partial(of_wheel, file=f"{VOICE}/silero_vad_op18_ifless.onnx", convert=wheel_models.int8),
        VOICE_DECISION,
        sides=VOICE_SIDES,
    ),
    "silero-half": PublicPair(
        partial(
            of_wheel, file=f"{VOICE}/silero_vad.onnx", convert=wheel_models.copy_of(f"{VOICE}/silero_vad_half.onnx")
        ),
        VOICE_DECISION,
        sides=VOICE_SIDES,
    ),
    "silero-noscalar": PublicPair(
        partial(of_wheel, file=f"{VOICE}/silero_vad_half.onnx", convert=wheel_models.pruned_weights),
        VOICE_DECISION,
        sides=VOICE_SIDES,
    ),
}
"""The pairs whose models are in public wheels."""

MADE_UP: Mapping[str, PublicPair] = {
    "probabilities-as-logits": PublicPair(pruned_pair, {"kind": "classes", "top": 3}),
    "logits-as-probabilities": PublicPair(partial(pruned_pair, last="Identity", out="logits"), LOGITS),
    "fp16-both": PublicPair(partial(pruned_pair, half=True), noise=2e-3),
    "fp16-io": PublicPair(partial(changed_pair, half=True), noise=2e-3),
    "fp16-keep-io": PublicPair(small_networks.half_inside, noise=2e-3),
    "external-data": PublicPair(small_networks.with_external_data),
    "same-file": PublicPair(small_networks.same_file),
    "multilabel": PublicPair(partial(pruned_pair, last="Sigmoid", out="probs"), {"kind": "multilabel"}),
    "multilabel-logits": PublicPair(
        partial(pruned_pair, last="Identity", out="logits"),
        {"kind": "multilabel", "scale": "logits", "loss": "hamming"},
    ),
    "binary-sigmoid": PublicPair(partial(pruned_pair, last="Sigmoid", columns=1, out="probs"), {"kind": "binary"}),
    "other-output-name": PublicPair(partial(changed_pair, out="output_0")),
    "other-input-name": PublicPair(partial(changed_pair, x="input_1")),
    "both-batch1": PublicPair(partial(pruned_pair, rows=1), most_rows=1),
    "compressed-batch1": PublicPair(partial(changed_pair, rows=1), most_rows=8),
    "dynamic-versus-fixed-classes": PublicPair(partial(changed_pair, shape=("n", "classes"))),
    "output-n-1-c": PublicPair(small_networks.pair_with_a_side_of_one),
    "side-output-layers-first": PublicPair(shaped_models.layers_first_pair, {"output": "probs"}),
    "detector-nms": PublicPair(shaped_models.detector_pair, {"kind": "detection"}),
    "llm-decoder": PublicPair(token_networks.decoder_pair, {"kind": "generation"}),
    "token-classifier": PublicPair(
        partial(int8_pair, model=token_networks.tagger),
        {"kind": "positions", "mask": "attention_mask", "scale": "logits"},
    ),
    "text-classifier": PublicPair(partial(int8_pair, model=token_networks.classifier), LOGITS, BY_SUBGROUP),
    "text-classifier-fp16": PublicPair(token_networks.fp16_pair, LOGITS, BY_SUBGROUP, noise=1e-2),
    "text-distilled": PublicPair(token_networks.distilled_pair, LOGITS, BY_SUBGROUP),
    "embedding": PublicPair(partial(int8_pair, model=token_networks.embedder), {"kind": "embedding"}),
    "sklearn-default": PublicPair(partial(label_pair, keep="maps")),
    "sklearn-nozipmap": PublicPair(partial(label_pair, keep="matrix")),
    "sklearn-only-label": PublicPair(partial(label_pair, keep="nothing"), {"kind": "labels"}),
    "sklearn-columns": PublicPair(table_models.columns_pair, MATRIX),
    "pruned-columns": PublicPair(partial(table_models.columns_pair, drop_region=True), MATRIX, BY_REGION),
    "lightgbm-regressor": PublicPair(
        table_models.regressor_pair, {"kind": "regression", "tolerance": 25, "cap": 100}, BY_COLUMN
    ),
}
"""The pairs that need no download."""

PAIRS: Mapping[str, PublicPair] = {**OF_WHEELS, **MADE_UP}
LATER = ("ocr-rec", "detector-nms", "llm-decoder")
"""Pairs that a later version of Tightrope compares."""

SERVED = tuple(name for name in PAIRS if name not in LATER)


def build(name: str, folder: Path) -> Path:
    """Write both models of a pair into a folder of its own, once; returns that folder."""
    place = folder / name
    if not place.exists():
        draft = folder / f"{name}.draft"
        draft.mkdir(parents=True, exist_ok=True)
        PAIRS[name].make(draft)
        draft.rename(place)
    return place
