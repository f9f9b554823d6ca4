"""What thresholds and probabilities are worth on the unseen pedestrians: `python -m reid_tui.bench.calibration`.

Trains a network for each seed, and tells what its card says of identities that fitted nothing: how often a threshold
for a rate of false acceptance accepts them, and how far the probabilities are off on average (expected calibration
error: ten bins of equal width, as many same as different pairs). For the latter each half of the identities is told
what the other half fits. Options of `reid-tui train` may follow.

Legend: P pairs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from reid_tui.data.pedestrians.generate import pedestrians
from reid_tui.evaluation.embed import embed
from reid_tui.evaluation.evaluate import PAIRS, pair_distances
from reid_tui.evaluation.fitting import fit_operating_points, halves
from reid_tui.evaluation.verification import verification_pairs
from reid_tui.learning.networks import to_input
from reid_tui.training.checkpoint import Checkpoint, load_latest
from reid_tui.training.learner import Learner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TRAIN: Final = (sys.executable, "-m", "reid_tui", "train", "--progress", "none", "--data", "pedestrians")
LEARNED: Final = (
    "--loss",
    "contrastive",
    "--miner",
    "hard",
    "--lr",
    "1e-3",
    "--schedule",
    "onecycle",
    "--steps",
    "384",
)
BINS: Final = 10


def trained(seed: int, options: Sequence[str]) -> Checkpoint:
    """The last checkpoint of a run with this seed.

    Raises:
        RuntimeError: the run failed; what it said.
    """
    with tempfile.TemporaryDirectory() as runs:
        argv = [
            *TRAIN,
            *LEARNED,
            "--pairs",
            "batch",
            "--eval-every",
            "9999",
            *options,
            "--seed",
            str(seed),
            "--runs-dir",
            runs,
        ]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"seed {seed}: exit code {done.returncode}: {done.stderr.strip()[-300:]}")
        (run,) = Path(runs).iterdir()
        return load_latest(run / "checkpoints")[0]


def calibration_error(probability_P: NDArray[np.float64], same_P: NDArray[np.bool_]) -> float:
    """Expected calibration error, both kinds of pairs weighing alike."""
    weight_P = np.where(same_P, 0.5 / same_P.sum(), 0.5 / (~same_P).sum())
    bin_P = np.minimum((BINS * probability_P).astype(np.int64), BINS - 1)
    return float(np.abs(np.bincount(bin_P, weight_P * (probability_P - same_P))).sum())


def unseen_error(checkpoint: Checkpoint) -> float:
    """The calibration error on the test identities, each half of them told what the other one fits."""
    data = pedestrians()
    learner = Learner(checkpoint.manifest.config, data.train, torch.device("cpu"), restored=True)
    learner.restore(checkpoint.tensors)
    points_ND = embed(learner.scored, torch.from_numpy(data.test.images), prepare=to_input)
    first, second = halves(data.test.labels, 0)
    told, kinds = [], []
    for fitting, judged in ((first, second), (second, first)):
        fitted = fit_operating_points(points_ND[torch.from_numpy(fitting)], data.test.labels.of(fitting), seed=0)
        assert fitted is not None
        first_P, second_P, same_P = verification_pairs(data.test.labels.of(judged), PAIRS, 0)
        distances_P = pair_distances(points_ND, judged[first_P], judged[second_P]).astype(np.float64)
        told.append(fitted.probability(distances_P))
        kinds.append(same_P)
    return calibration_error(np.concatenate(told), np.concatenate(kinds))


def row(seed: int, checkpoint: Checkpoint) -> str:
    """Of the table, in Markdown."""
    card = checkpoint.manifest.card
    fitted = card.fitted if card else None
    assert fitted is not None
    equal, tenth, hundredth = fitted.points[0], fitted.point(0.1), fitted.point(0.01)
    assert tenth is not None
    assert hundredth is not None
    cells = (f"{equal.far:.3f} / {equal.frr:.3f}", f"{tenth.far:.4f}", f"{hundredth.far:.5f}")
    return f"| {seed} | {' | '.join(cells)} | {unseen_error(checkpoint):.4f} |"


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code: 1 where a run failed, which is told on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m reid_tui.bench.calibration", description="What thresholds are worth."
    )
    parser.add_argument("--seeds", type=int, default=5)
    asked, options = parser.parse_known_args(arguments)
    print("| seed | FAR / FRR at equal error | FAR for 0.1 | FAR for 0.01 | calibration error |\n|" + " --- |" * 5)  # noqa: T201
    for seed in range(asked.seeds):
        try:
            print(row(seed, trained(seed, options)), flush=True)  # noqa: T201
        except RuntimeError as error:
            print(error, file=sys.stderr)  # noqa: T201
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
