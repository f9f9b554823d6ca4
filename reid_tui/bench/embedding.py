"""How fast a trained network embeds pixels, beside the bare network on the same.

`python -m reid_tui.bench.embedding ROUNDS` measures in a process of its own, and prints a JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.bench.processes import Setup, run
from reid_tui.bench.report import Result, Side
from reid_tui.config import NetworkOptions
from reid_tui.training.card import ModelCard
from reid_tui.using.model import BATCH, Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TARGET: Final = 0.9
IMAGES: Final = 2048
SHAPE: Final = (3, 64, 32)
DIMENSIONS: Final = 64
_LONGEST_S: Final = 900.0


def measure_embedding(setup: Setup) -> Iterator[Result]:
    """Images a second on the CPU.

    Raises:
        ReidTuiError: the process failed.
    """
    setup.talk("embedding: a network at work beside the bare one")
    command = (sys.executable, "-m", "reid_tui.bench.embedding", str(setup.rounds))
    rates = json.loads(run(command, _LONGEST_S)[0])
    ratios = [ours / bare for ours, bare in zip(rates["ours"], rates["bare"], strict=True)]
    yield Result(
        name="embedding",
        what=f"{IMAGES:,} images {SHAPE[1]}x{SHAPE[2]} embedded",
        unit="images/s",
        a=Side("Model.embed_pixels", tuple(rates["ours"])),
        b=Side("bare network", tuple(rates["bare"])),
        target=f">= {TARGET:g}",
        met=float(np.median(ratios)) >= TARGET,
        device="cpu",
        note="the tutorial's network, in alternation",
    )


def rates(rounds: int) -> dict[str, list[float]]:
    """Images a second by each, one after the other in each round."""
    import torch

    from reid_tui.learning.networks import build_network, to_input
    from reid_tui.using.torch_network import TorchNetwork

    options = NetworkOptions("tutorial", DIMENSIONS, normalize=False, bnneck=False, pretrained=False)
    channels, height, width = SHAPE
    network = build_network(options, *SHAPE, seed=0)
    card = ModelCard(
        channels=channels,
        height=height,
        width=width,
        embedding_dim=DIMENSIONS,
        normalized=False,
        data="noise",
        identities=0,
    )
    model = Model(TorchNetwork(network, options, torch.device("cpu")), name="bench", step=None, card=card, digest="")
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, *SHAPE), dtype=np.uint8)

    def bare() -> None:
        with torch.no_grad():
            for part in torch.split(torch.from_numpy(images), BATCH):
                network(to_input(part))

    found: dict[str, list[float]] = {"ours": [], "bare": []}
    for number in range(rounds + 1):
        for name, work in (("ours", lambda: model.embed_pixels(images)), ("bare", bare)):
            rate = IMAGES / _seconds(work)
            if number:  # the first round warms up
                found[name].append(rate)
    return found


def _seconds(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def main(arguments: Sequence[str]) -> None:
    """Measure, in a process of its own."""
    sys.stdout.write(json.dumps(rates(int(arguments[0]))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
