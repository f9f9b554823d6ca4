"""A real trainer on small data, with a list for a listener and hooks between steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch

from reid_tui.config import RunConfig
from reid_tui.data.dataset import Dataset
from reid_tui.training.channels import CommandBox
from reid_tui.training.events import AnyEvent, Progress
from reid_tui.training.keeper import Keeper
from reid_tui.training.learner import Learner
from reid_tui.training.scoring import Scorer
from reid_tui.training.trainer import Trainer

Kind = TypeVar("Kind", bound=AnyEvent)


@dataclass
class Rig:
    """Parts of one trainer. `at[step]` is called when the progress of that step is told."""

    config: RunConfig
    dataset: Dataset
    folder: Path
    steerable: bool = True
    events: list[AnyEvent] = field(default_factory=list)
    at: dict[int, Callable[[], object]] = field(default_factory=dict)
    on: dict[type[AnyEvent], Callable[[AnyEvent], object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        device = torch.device("cpu")
        for name in ("checkpoints", "embeddings"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.inbox = CommandBox()
        self.learner = Learner(self.config, self.dataset.train, device)
        self.scorer = Scorer(self.dataset, self.config, device)
        self.keeper = Keeper(
            self.folder / "checkpoints", self.folder / "embeddings", self.config, self.dataset.fingerprint
        )
        self.trainer = Trainer(
            self.config,
            self.dataset,
            self.learner,
            self.scorer,
            self.keeper,
            self.hear,
            self.inbox,
            steerable=self.steerable,
        )

    def hear(self, event: AnyEvent) -> None:
        self.events.append(event)
        if isinstance(event, Progress) and event.step in self.at:
            self.at.pop(event.step)()
        if type(event) in self.on:
            self.on[type(event)](event)

    def run(self) -> AnyEvent:
        return self.trainer.run("run")

    def told(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    def losses(self) -> dict[int, float]:
        return {event.step: event.loss for event in self.told(Progress)}

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self.learner.network.state_dict().items()}


def blow_up(rig: Rig, factor: float = 1e30) -> None:
    with torch.no_grad():
        rig.learner.network.get_parameter("fc2.weight").mul_(factor)
