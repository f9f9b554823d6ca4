"""The Siamese tutorial as a course writes it: the loop that `reid-tui train` is measured against.

Nothing here is tuned, and nothing is taken from the engine but the images. `python -m reid_tui.bench.plain` runs it in
a process of its own and answers with one JSON object.

Legend: P pairs of a batch, D embedding dimensions.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  the name that every course gives it
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import ToTensor  # type: ignore[import-untyped]

from reid_tui.bench.rates import WARM_UP_STEPS
from reid_tui.config import DataOptions
from reid_tui.data.catalog import load
from reid_tui.errors import OK, DataError, ReidTuiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

BATCH_SIZE: Final = 64
MARGIN: Final = 1.0
LEARNING_RATE: Final = 1e-3
SIDE: Final = 28


class PlainRun(NamedTuple):
    """What a run of the loop came to."""

    losses: list[float]
    """Of each step."""
    pairs_per_s: float
    """After the warm-up."""


class PairDataset(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Each image once, with a partner that shows the same class with probability 1/2."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        """Sort the images by class.

        Args:
            images: (N, 28, 28).
            labels: (N,) classes.
        """
        self.images = images
        self.labels = labels.tolist()
        self.transform = ToTensor()
        self.indices_of: dict[int, list[int]] = {}
        for index, label in enumerate(self.labels):
            self.indices_of.setdefault(label, []).append(index)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        label = self.labels[index]
        same = random.random() < 0.5
        if not same:
            label = random.choice([other for other in self.indices_of if other != label])
        partner = random.choice(self.indices_of[label])
        return self.image(index), self.image(partner), torch.tensor(float(same))

    def image(self, index: int) -> Tensor:
        """(1, 28, 28) float in 0..1."""
        tensor: Tensor = self.transform(Image.fromarray(self.images[index]))
        return tensor


class PlainNetwork(nn.Module):
    """Two convolutions, two linear layers, an embedding in two dimensions: 315,010 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * 4 * 4, 256),
            nn.ReLU(),
            nn.Linear(256, 2),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(P, 1, 28, 28) float to (P, 2)."""
        embedding: Tensor = self.layers(images)
        return embedding


class ContrastiveLoss(nn.Module):
    """Mean of y D^2 + (1 - y) max(0, margin - D)^2, where y = 1 means the same class."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, first: Tensor, second: Tensor, same: Tensor) -> Tensor:
        """(P, 2), (P, 2) and (P,) to a scalar."""
        distance = F.pairwise_distance(first, second)
        return torch.mean(same * distance**2 + (1 - same) * torch.clamp(self.margin - distance, min=0) ** 2)


def train_plain(images: NDArray[np.uint8], labels: NDArray[np.int64], steps: int, workers: int = 0) -> PlainRun:
    """Train for so many steps, epoch after epoch.

    Args:
        images: (N, 28, 28).
        labels: (N,) classes, of which there are at least two.
        steps: optimiser steps, > `WARM_UP_STEPS` where the pace matters.
        workers: processes of the DataLoader.

    Returns:
        Loss of each step and the pace after the warm-up; a pace of 0 where nothing comes after it.
    """
    random.seed(0)
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    loader = DataLoader(PairDataset(images, labels), batch_size=BATCH_SIZE, shuffle=True, num_workers=workers)
    model = PlainNetwork().to(device)
    criterion = ContrastiveLoss(MARGIN)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)

    losses: list[float] = []
    pairs = 0
    start = time.perf_counter()
    while len(losses) < steps:
        for first, second, same in loader:
            first, second, same = first.to(device), second.to(device), same.to(device)
            optimizer.zero_grad()
            loss = criterion(model(first), model(second), same)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            pairs += len(same)
            if len(losses) == WARM_UP_STEPS:
                start, pairs = time.perf_counter(), 0
            if len(losses) == steps:
                break
    measured = len(losses) > WARM_UP_STEPS
    return PlainRun(losses, pairs / (time.perf_counter() - start) if measured else 0.0)


def main(arguments: Sequence[str]) -> int:
    """Run the loop on a data set and write its pace, last losses and device to stdout as JSON.

    Returns:
        The exit code; an expected error is a line on stderr.
    """
    parser = argparse.ArgumentParser(prog="python -m reid_tui.bench.plain")
    parser.add_argument("--data", default="auto")
    parser.add_argument("--data-dir")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        train = load(DataOptions(data=options.data, data_dir=options.data_dir), lambda *_: None).train
        if train.images.shape[1:] != (1, SIDE, SIDE):
            raise DataError("the plain loop is written for grey 28x28 images; use --data fashion-mnist")
    except ReidTuiError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    run = train_plain(train.images[:, 0], train.identities, options.steps, options.workers)
    device = f"cuda {torch.cuda.get_device_name()}" if torch.cuda.is_available() else "cpu"
    answer: dict[str, Any] = {
        "pairs_per_s": run.pairs_per_s,
        "batch_size": BATCH_SIZE,
        "losses": run.losses[-10:],
        "device": device,
    }
    sys.stdout.write(json.dumps(answer) + "\n")
    return OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
