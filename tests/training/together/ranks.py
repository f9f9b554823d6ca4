"""Processes of one run without its engine: each builds a learner, takes steps, and rank 0 keeps the weights."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from reid_tui.config import NetworkOptions, RunOptions, resolve
from reid_tui.config.ranks import Rank
from reid_tui.learning.networks import build_network
from reid_tui.training import learner as learners
from reid_tui.training.learner import Learner
from reid_tui.training.scoring import Scorer
from reid_tui.training.together.follower import Follower
from reid_tui.training.together.group import Group
from tests.conftest import IDENTITIES, tiny_dataset

CPU = torch.device("cpu")
LONGEST_S = 400.0


class Double(nn.Module):
    """Lets a network compute in float64."""

    def forward(self, values: Tensor) -> Tensor:
        return values.double()


def built_double(wanted: NetworkOptions, channels: int, height: int, width: int, seed: int) -> nn.Module:
    return nn.Sequential(Double(), build_network(wanted, channels, height, width, seed)).double()


def taught(asked: dict[str, Any], steps: int, group: Group | None = None) -> dict[str, Tensor]:
    """What rank 0 has after so many steps, and where its network puts the test images.

    Halfway margin and learning rate are turned, and all goes back to what it was after a quarter.
    """
    asked = dict(asked)
    learners.build_network = built_double if asked.pop("double", False) else build_network  # type: ignore[attr-defined]
    config = resolve(RunOptions(**{"batch_size": 16, "seed": 3, **asked}), "fashion-mnist", IDENTITIES)
    config = dataclasses.replace(config, eval_images=40)
    dataset = tiny_dataset()
    learner = Learner(config, dataset.train, CPU, group=group)
    if group is not None and not group.leads:
        Follower(group, config, learner, Scorer(dataset, config, CPU, group)).run()
        return {}
    earlier = learner.tensors()
    for step in range(steps):
        if step == steps // 4:
            earlier = {name: value.clone() for name, value in learner.tensors().items()}
        if step == steps // 2:
            learner.margin, learner.lr = 1.4, 5e-4
            learner.restore(earlier)
        epoch, index = divmod(step, -(-len(learner.identities_N) // config.batch_size))
        learner.step(learner.draw(epoch)[index * config.batch_size :][: config.batch_size], step)
    picture = Scorer(dataset, config, CPU, group).snapshot(learner.scored, learner.margin)
    assert picture is not None
    return {**learner.tensors(), "points": torch.from_numpy(picture.points.copy())}


def in_processes(folder: Path, size: int, cases: list[dict[str, Any]], steps: int) -> list[dict[str, Tensor]]:
    """What rank 0 of so many processes has learned in each case."""
    folder.mkdir()
    asked = (str(size), str(folder), str(steps), json.dumps(cases))
    command = (sys.executable, "-W", "error", "-m", "tests.training.together.ranks", *asked)
    environ = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environ, check=True, timeout=LONGEST_S)
    return [load_file(folder / f"{number}.safetensors") for number in range(len(cases))]


def main() -> None:
    """Fork, which spares all but one the import of torch, and see that all end well."""
    size, folder, steps, cases = sys.argv[1:]
    ranks = []
    for number in range(int(size)):
        ranks.append(os.fork())
        if not ranks[-1]:
            take_part(number, int(size), folder, int(steps), json.loads(cases))
            os._exit(0)
    assert [os.waitpid(rank, 0)[1] for rank in ranks] == [0] * len(ranks)


def take_part(number: int, size: int, folder: str, steps: int, cases: list[dict[str, Any]]) -> None:
    """What one of the processes does."""
    for index, asked in enumerate(cases):
        rank = Rank(number, size, number, size, f"{folder}/meeting-{index}")
        group = Group(rank, dist.FileStore(rank.meeting, size), CPU)
        tensors = taught(asked, steps, group)
        if group.leads:
            save_file(tensors, Path(folder) / f"{index}.safetensors")
        group.close()


if __name__ == "__main__":
    main()
