"""How long all scores of 10,000 embeddings take, intervals and thresholds among them: a process that imports torch."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Final

from reid_tui.bench.processes import run
from reid_tui.bench.report import Result, Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reid_tui.bench.processes import Setup

SCORES: Final = (sys.executable, "-m", "reid_tui.bench.scores")
TARGET_S: Final = 1.2
IMAGES: Final = 10_000
IDENTITIES: Final = 10
_TIMEOUT_S: Final = 300.0


def measure_scores(setup: Setup) -> Iterator[Result]:
    """As at the end of a run on Fashion-MNIST, once a round.

    Raises:
        ReidTuiError: it failed.
    """
    setup.talk(f"scores: of {IMAGES:,} images, {setup.rounds} times")
    output, _ = run((*SCORES, str(setup.rounds)), _TIMEOUT_S)
    seconds = tuple(json.loads(output))
    yield Result(
        name="scores",
        what=f"all scores of {IMAGES:,} embeddings",
        unit="s",
        a=Side("with intervals and thresholds", seconds),
        target=f"median <= {TARGET_S:g}",
        met=sorted(seconds)[len(seconds) // 2] <= TARGET_S,
        device="cpu",
    )


def seconds_of(rounds: int) -> list[float]:
    """Seconds of each round, after one that does not count."""
    import numpy as np
    import torch

    from reid_tui.evaluation.evaluate import evaluate
    from reid_tui.evaluation.fitting import fit_operating_points
    from reid_tui.evaluation.labels import Labels

    generator = np.random.default_rng(0)
    labels = Labels(np.arange(IMAGES) % IDENTITIES)
    centres = generator.normal(size=(IDENTITIES, 2))[labels.identities_N]
    embeddings_ND = torch.from_numpy((centres + generator.normal(scale=0.3, size=(IMAGES, 2))).astype(np.float32))
    seconds = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        evaluate(embeddings_ND, labels, seed=0, margin=1.0, intervals=True)
        fit_operating_points(embeddings_ND, labels, seed=0)
        seconds.append(time.perf_counter() - began)
    return seconds[1:]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(seconds_of(int(sys.argv[1]))))
