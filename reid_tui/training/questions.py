"""What a person asks the trainer between two steps: of single images, and which of them are to be left out.

No answer changes a weight, a statistic or a generator; what is left out changes the pairs of later epochs only.
"""

from __future__ import annotations

import math
import os
from functools import partial
from typing import TYPE_CHECKING, Final, assert_never

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d

from reid_tui.data.folders.picture import decoded, of_channels
from reid_tui.data.sample import balanced_sample
from reid_tui.errors import DataError, UsageError, advice
from reid_tui.evaluation.embed import embed, evaluating
from reid_tui.learning.networks import to_input
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.left_out import MOST
from reid_tui.training.pictures import snapshot_of
from reid_tui.training.scoring import EVALUATION_SEED, read_only
from reid_tui.training.splits import TRAIN
from reid_tui.training.suspects import Suspects

if TYPE_CHECKING:
    from torch import Tensor, nn

    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import Dataset, ImageSet
    from reid_tui.training.keeper import Keeper
    from reid_tui.training.learner import Learner
    from reid_tui.training.left_out import LeftOut
    from reid_tui.training.scoring import Scorer

PARTS: Final = 16
"""Cells along the longer side of a picture."""
LEVELS: Final = 9


class Questions:
    """Answers by events; a refusal is one too."""

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset,
        learner: Learner,
        scorer: Scorer,
        keeper: Keeper,
        emit: ev.Listener,
        left_out: LeftOut,
    ) -> None:
        """Take what is asked about, who writes, who is told, and what is left out of the pairs."""
        self._config = config
        self._dataset = dataset
        self._learner = learner
        self._scorer = scorer
        self._keeper = keeper
        self._emit = emit
        self._left_out = left_out
        self._suspects = Suspects(dataset, keeper)
        self._layout = learner.parts.layout

    def answer(self, command: cmd.Question, step: int) -> None:
        """Answer a command after so many steps."""
        try:
            match command:
                case cmd.MarkSuspect():
                    self._mark(command, step)
                case cmd.LeaveOut():
                    self._leave_out(command, step)
                case cmd.ShowTraining():
                    self._show_training(step)
                case cmd.Explain():
                    self._explain(command, step)
                case cmd.EmbedPicture():
                    self._embed(command.path, step)
                case _:
                    assert_never(command)
        except UsageError as error:
            name = ev.snake(type(command).__name__)
            self._emit(ev.CommandRefused(step=step, command=name, reason=str(error)))

    def _images(self, rows: tuple[int, ...], *, train: bool) -> tuple[str, ImageSet]:
        """The split and its name, where it has these rows."""
        split, images = (TRAIN, self._dataset.train) if train else (self._scorer.split, self._dataset.test)
        for row in rows:
            if row >= len(images):
                raise UsageError(f"the split {split} has {len(images):,} images, none at {row:,}")
        return split, images

    def _mark(self, command: cmd.MarkSuspect, step: int) -> None:
        split, _ = self._images((command.row,), train=command.train)
        event = self._suspects.described(
            split, command.row, step=step, distance=command.distance, marked=command.marked
        )
        try:
            self._suspects.mark(event)
        except OSError as error:
            raise UsageError(f"suspects.csv cannot be written: {advice(error, '')}") from error
        except ValueError as error:
            raise UsageError(f"{error}; move it away") from error
        self._emit(event)

    def _leave_out(self, command: cmd.LeaveOut, step: int) -> None:
        row, before = command.row, self._left_out.last
        self._images((row,), train=True)
        if self._learner.parts.group is not None:
            raise UsageError("images are left out of a run of one process only")
        if command.out == (row in before):
            raise UsageError(f"training image {row:,} is {'left out already' if command.out else 'not left out'}")
        if command.out:
            if len(before) >= MOST:
                raise UsageError(f"{MOST:,} images are left out already; start a new run with --exclude suspects.csv")
            try:
                self._learner.draw(self._left_out.next_epoch(step), before | {row})
            except DataError as error:
                raise UsageError(f"training image {row:,} must stay: {error}") from error
        epoch = self._left_out.change(row, step, out=command.out)
        self._emit(ev.ImageLeftOut(step=step, row=row, out=command.out, epoch=epoch + 1))

    def _show_training(self, step: int) -> None:
        train = self._dataset.train
        places = balanced_sample(train.identities, self._config.eval_images, EVALUATION_SEED)
        shown = self._scorer.looked_at(self._learner.scored, train, places)
        if shown is None:
            raise UsageError("the embedding has run out of bounds")
        path = ""
        try:
            path = self._keeper.training_snapshot(step, shown)
        except OSError as error:
            message = f"the training images of step {step} could not be kept: {advice(error, '')}"
            self._emit(ev.Warned(step=step, code="snapshot_failed", message=message))
        self._emit(snapshot_of(shown, step=step, split=TRAIN, path=path))

    def _explain(self, command: cmd.Explain, step: int) -> None:
        rows = (command.first, command.second)
        split, images = self._images(rows, train=command.train)
        pixels = torch.from_numpy(images.take(np.array(rows))).to(self._learner.device)
        distance, parts = deciding_parts(self._learner.scored, pixels, self._layout)
        first, second = (tuple(part.flatten().tolist()) for part in parts)
        self._emit(
            ev.PairExplained(
                step=step,
                split=split,
                first=rows[0],
                second=rows[1],
                distance=distance,
                columns=parts.shape[2],
                first_parts=first,
                second_parts=second,
            )
        )

    def _embed(self, path: str, step: int) -> None:
        channels, height, width = self._dataset.test.shape
        try:
            pixels = of_channels(decoded(os.path.expanduser(path), (height, width)), channels)  # noqa: PTH111
        except DataError as error:
            self._emit(ev.PictureEmbedded(step=step, path=path, embedding=(), problem=str(error)))
            return
        images = torch.from_numpy(pixels[None].copy()).to(self._learner.device)
        embedding = tuple(
            embed(self._learner.scored, images, prepare=partial(to_input, layout=self._layout))[0].tolist()
        )
        if all(map(math.isfinite, embedding)):
            told = ev.PictureEmbedded(step=step, path=path, embedding=embedding, image=read_only(pixels))
        else:
            told = ev.PictureEmbedded(step=step, path=path, embedding=(), problem="its embedding is not finite")
        self._emit(told)


def deciding_parts(
    network: nn.Module, images_NCHW: Tensor, layout: torch.memory_format = torch.channels_last
) -> tuple[float, Tensor]:
    """How much the distance of two images depends on each of their parts.

    Args:
        network: computes in evaluation mode; no gradient of its weights is kept.
        images_NCHW: two, uint8, where the network is.
        layout: of the network's weights.

    Returns:
        The distance, and (2, rows, columns) whole numbers from 0 to 9 on the CPU: the gradients of the squared
        distance with respect to the pixels, their sizes added over the channels and averaged over each part, the
        largest of each image as 9. All 0 where the images are equal.
    """
    inputs = to_input(images_NCHW, layout=layout)
    with evaluating(network), torch.enable_grad():
        inputs.requires_grad_()
        first_D, second_D = network(inputs).float()
        squared = (first_D - second_D).square().sum()
        (gradient,) = torch.autograd.grad(squared, inputs)
    height, width = images_NCHW.shape[2:]
    scale = max(1.0, max(height, width) / PARTS)
    cells = max(1, round(height / scale)), max(1, round(width / scale))
    power = adaptive_avg_pool2d(gradient.abs().sum(dim=1, keepdim=True), cells)[:, 0].cpu()
    highest = power.amax(dim=(1, 2), keepdim=True)
    levels = torch.where(highest > 0, power / highest.clamp_min(torch.finfo(torch.float32).tiny), 0.0)
    return float(squared.detach().sqrt()), (levels * LEVELS).round().long()
