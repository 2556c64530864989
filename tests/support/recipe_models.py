"""Small ONNX files in the place of those that the recipes of docs/models.md begin with."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx.parser
from numpy.typing import NDArray
from onnx import numpy_helper

Weights = Mapping[str, NDArray[np.float32]]
HEAD = '<ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": 3]>'
WORDS, WIDTH = 1000, 16
TOKENS = "int64[rows, tokens] input_ids, int64[rows, tokens] attention_mask"
MEAN = """
    table = Constant <value_ints: ints = [2]> ()
    places = Constant <value_ints: ints = [1]> ()
    each = Gather (words, input_ids)
    ones = Cast <to: int = 1> (attention_mask)
    kept = Unsqueeze (ones, table)
    own = Mul (each, kept)
    total = ReduceSum <keepdims: int = 1> (own, places)
    count = ReduceSum <keepdims: int = 1> (kept, places)
    mean = Div (total, count)
    both = Add (own, mean)"""
"""Nodes that add to each token the mean of all: (rows, tokens, width)."""


def drawn(seed: int, *shape: int) -> NDArray[np.float32]:
    """Made-up weights."""
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32)


def pruned(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights without the smallest third."""
    return np.where(np.abs(weights) < np.quantile(np.abs(weights), 0.3), 0, weights).astype(np.float32)


def write(path: Path, graph: str, **weights: NDArray[np.float32]) -> None:
    """Write a graph in ONNX's text form, with its weights."""
    model = onnx.parser.parse_model(f"{HEAD}\n{graph}")
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in weights.items())
    onnx.save(model, str(path))


def write_text_classifier(folder: Path) -> None:
    """Write a classifier of texts that gives logits."""
    nodes = f"{MEAN}\n flat = Squeeze (mean, places)\n logits = MatMul (flat, head)"
    graph = f"text ({TOKENS}) => (float[rows, 3] logits) {{ {nodes} }}"
    write(folder / "baseline.onnx", graph, words=drawn(0, WORDS, WIDTH), head=drawn(1, WIDTH, 3))


def write_tagger(folder: Path) -> None:
    """Write a tagger of nine tags."""
    graph = f"tags ({TOKENS}) => (float[rows, tokens, 9] logits) {{ {MEAN}\n logits = MatMul (both, head) }}"
    write(folder / "baseline.onnx", graph, words=drawn(0, WORDS, WIDTH), head=drawn(1, WIDTH, 9))


def write_encoder(folder: Path) -> None:
    """Write a model that gives a vector a token, and the vectors of 40 documents by both models."""
    out = "float[rows, tokens, 16] last_hidden_state"
    graph = f"encoder ({TOKENS}) => ({out}) {{ {MEAN}\n last_hidden_state = MatMul (both, head) }}"
    write(folder / "baseline.onnx", graph, words=drawn(0, WORDS, WIDTH), head=drawn(1, WIDTH, 16))
    for role in ("baseline", "int8"):
        np.save(folder / f"{role}_vectors.npy", drawn(2, 40, 16))


IMAGE = """
    numbers = Cast <to: int = 1> (image)
    first = Transpose <perm: ints = [0, 3, 1, 2]> (numbers)
    scaled = Div (first, size)
    seen = Conv <pads: ints = [1, 1, 1, 1]> (scaled, filters)
    sharp = Relu (seen)"""


def write_image_classifier(folder: Path) -> None:
    """Write a classifier of images as bytes, and some images."""
    nodes = (
        f"{IMAGE}\n mean = ReduceMean <axes: ints = [2, 3], keepdims: int = 0> (sharp)\n logits = MatMul (mean, head)"
    )
    graph = f"image (uint8[rows, 16, 16, 3] image) => (float[rows, 6] logits) {{ {nodes} }}"
    weights = {"size": np.float32([255]), "filters": drawn(0, 8, 3, 3, 3), "head": drawn(1, 8, 6)}
    write(folder / "baseline.onnx", graph, **weights)
    np.save(folder / "images.npy", np.random.default_rng(2).integers(0, 256, (8, 16, 16, 3)).astype(np.uint8))


def write_segmenter(folder: Path) -> None:
    """Write a model with scores of four classes for each pixel, and its pruned copy."""
    graph = """pixels (float[rows, 3, height, width] image) => (float[rows, 4, height, width] masks) {
        masks = Conv <pads: ints = [1, 1, 1, 1]> (image, filters)
    }"""
    write_pair(folder, "int8.onnx", graph, filters=drawn(0, 4, 3, 3, 3))


def write_voice(folder: Path) -> None:
    """Write a detector of voices with its state on axis 1 and a rate that rows share, and its pruned copy."""
    graph = """voice (float[rows, 32] chunk, float[2, rows, 8] state, int64 rate)
        => (float[rows, 1] probability, float[2, rows, 8] next) {
        hidden = MatMul (chunk, first)
        speed = Cast <to: int = 1> (rate)
        slow = Div (hidden, speed)
        mixed = Add (state, slow)
        next = Tanh (mixed)
        last = ReduceMean <axes: ints = [0], keepdims: int = 0> (next)
        score = MatMul (last, head)
        probability = Sigmoid (score)
    }"""
    write_pair(folder, "int8.onnx", graph, first=drawn(0, 32, 8), head=drawn(1, 8, 1))


def write_pair(folder: Path, small: str, graph: str, **weights: NDArray[np.float32]) -> None:
    """Write a model and its pruned copy."""
    write(folder / "baseline.onnx", graph, **weights)
    write(folder / small, graph, **{name: pruned(value) for name, value in weights.items()})


def write_scikit(folder: Path) -> None:
    """Write two classifiers of 5 columns as skl2onnx does by default: a label, and a sequence of maps."""
    graph = """forest (float[rows, 5] X) => (int64[rows] output_label, seq(map(int64, float)) output_probability) {
        scores = MatMul (X, w)
        probabilities = Softmax (scores)
        output_label = ArgMax <axis: int = 1, keepdims: int = 0> (scores)
        output_probability = ai.onnx.ml.ZipMap <classlabels_int64s: ints = [0, 1, 2]> (probabilities)
    }"""
    for name, weights in (("forest", drawn(0, 5, 3)), ("tree", pruned(drawn(0, 5, 3)))):
        write(folder / f"{name}.onnx", graph, w=weights)


def write_plain_scikit(folder: Path) -> None:
    """Write two classifiers as skl2onnx does without ZipMap."""
    graph = """forest (float[rows, 5] X) => (int64[rows] label, float[rows, 3] probabilities) {
        scores = MatMul (X, w)
        probabilities = Softmax (scores)
        label = ArgMax <axis: int = 1, keepdims: int = 0> (scores)
    }"""
    for name, weights in (("forest", drawn(0, 5, 3)), ("tree", pruned(drawn(0, 5, 3)))):
        write(folder / f"{name}_plain.onnx", graph, w=weights)


def write_regressor(folder: Path) -> None:
    """Write two regressors of 10 columns."""
    graph = "trees (float[rows, 10] X) => (float[rows, 1] variable) { variable = MatMul (X, w) }"
    write_pair(folder, "short.onnx", graph, w=100 * drawn(0, 10, 1))


def write_topics(folder: Path) -> None:
    """Write a model of six labels that gives logits."""
    graph = "topics (float[rows, 32] x) => (float[rows, 6] logits) { logits = MatMul (x, w) }"
    write(folder / "baseline.onnx", graph, w=drawn(0, 32, 6))


def write_classifier(folder: Path) -> None:
    """Write a classifier of 32 columns."""
    graph = "classes (float[rows, 32] x) => (float[rows, 4] p) { z = MatMul (x, w)\n p = Softmax (z) }"
    write(folder / "baseline.onnx", graph, w=drawn(0, 32, 4))


def write_student(folder: Path) -> None:
    """Write a classifier of texts, and a student that takes counts of words."""
    write_text_classifier(folder)
    graph = f"student (float[rows, {WORDS}] words) => (float[rows, 3] score) {{ score = MatMul (words, w) }}"
    write(folder / "student.onnx", graph, w=drawn(3, WORDS, 3))


def write_compass(folder: Path) -> None:
    """Write two models that give an angle."""
    graph = "compass (float[rows, 4] x) => (float[rows, 1] angle) { angle = MatMul (x, w) }"
    write_pair(folder, "small.onnx", graph, w=100 * drawn(0, 4, 1))


RECIPES: Mapping[str, Callable[[Path], None]] = {
    "sentiment": write_text_classifier,
    "entities": write_tagger,
    "sentences": write_encoder,
    "search": write_encoder,
    "species": write_image_classifier,
    "road": write_segmenter,
    "voice": write_voice,
    "default": write_scikit,
    "plain": write_plain_scikit,
    "price": write_regressor,
    "topics": write_topics,
    "half": write_classifier,
    "student": write_student,
    "compass": write_compass,
}
"""Writers of the files of each recipe, by the name of its model; the page's own commands make the rest of them."""
