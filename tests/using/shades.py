"""A network so small that its distances can be worked out by hand: the embedding of a picture is its mean shade."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from reid_tui.evaluation.operating import Fitted, Knot, OperatingPoint, Pairs
from reid_tui.training.card import ModelCard, card_json
from reid_tui.using.model import Model
from reid_tui.using.onnx_network import CARD as CARD_KEY
from reid_tui.using.onnx_network import EMBEDDINGS, IMAGES, STEP

FITTED = Fitted(
    points=(
        OperatingPoint(None, 10.0, 0.06, 0.05, (0.04, 0.08), (0.03, 0.07)),
        OperatingPoint(0.1, 20.0, 0.11, 0.02, (0.09, 0.13), (0.01, 0.03)),
        OperatingPoint(0.01, 5.0, 0.012, 0.2, (0.009, 0.015), (0.1, 0.3)),
    ),
    fitted=Pairs(32, 4000, 4000),
    reported=Pairs(32, 4000, 4000),
    knots=(Knot(0, 0, 0, 0.96), Knot(10, 0.05, 0.9, 0.5), Knot(110, 0.9, 1, 0.01)),
)
"""Equal error at 10 shades, a rate of 0.1 at 20, one of 0.01 at 5."""


class Shades:
    """Counts what it computes."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, images_NCHW: np.ndarray) -> np.ndarray:
        self.batches.append(len(images_NCHW))
        return images_NCHW.mean(axis=(2, 3)).astype(np.float32)


CARD = ModelCard(
    channels=1, height=4, width=3, embedding_dim=1, normalized=False, data="shades", identities=2,
    fitted=FITTED, fitted_step=1200,
)  # fmt: skip


def shades_model(network: Shades | None = None, card: ModelCard = CARD) -> Model:
    """Grey pictures of 4 x 3 pixels into one dimension."""
    return Model(
        network or Shades(),
        name="20260101-000000-shades",
        step=1200,
        card=card,
        digest="0" * 64,
        note=("a newer checkpoint was passed over: step 1300",) if card.fitted is None else (),
    )


def shade(path: Path, value: int) -> str:
    """A picture of one shade."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (3, 4), value).save(path)
    return str(path)


def shades_onnx(path: Path) -> Path:
    """The same network as `reid-tui export` would have written it."""
    from onnx import TensorProto, helper, save

    pixels = helper.make_tensor_value_info(IMAGES, TensorProto.UINT8, ["N", 1, 4, 3])
    points = helper.make_tensor_value_info(EMBEDDINGS, TensorProto.FLOAT, ["N", 1])
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3])
    nodes = [
        helper.make_node("Cast", [IMAGES], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], [EMBEDDINGS], keepdims=0),
    ]
    graph = helper.make_graph(nodes, "shades", [pixels], [points], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {CARD_KEY: json.dumps(card_json(CARD)), STEP: "1200"})
    save(model, path)
    return path
