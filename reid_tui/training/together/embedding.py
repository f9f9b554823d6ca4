"""Images through a network by several processes, each its part.

Legend: N images, D dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from reid_tui.training.together.group import Task, Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from reid_tui.data.dataset import IntArray
    from reid_tui.training.together.group import Group

BLOCK: Final = 256
"""Images in one forward, whoever takes it: they are the same with any number of processes."""
BLOCKS: Final = 8
"""That a process takes at once; between them the work can be broken off."""


def embed_together(
    group: Group, split: int, index: IntArray, own: Callable[[IntArray], Tensor], dim: int, go_on: Callable[[], None]
) -> Tensor:
    """Embed images on all processes; for rank 0.

    Args:
        group: the processes.
        split: number of the images' split.
        index: (N,) places in it.
        own: embeds some of them here.
        dim: D.
        go_on: called every fraction of a second; what it raises ends the work.

    Returns:
        (N, D) on the CPU.

    Raises:
        LostProcessError: somebody is gone.
    """
    whole_ND = torch.empty(len(index), dim)
    at_once = BLOCK * BLOCKS * group.rank.world_size
    for start in range(0, len(index), at_once):
        go_on()
        some = index[start : start + at_once]
        with group.doing(Task(Work.EMBED, split, size=len(some))):
            group.share(torch.from_numpy(some).clone())
            _embed_part(group, some, own, whole_ND[start : start + at_once])
    return whole_ND


def embed_for(group: Group, task: Task, own: Callable[[IntArray], Tensor], dim: int) -> None:
    """Do one's part of what rank 0 embeds; for the others.

    Raises:
        LostProcessError: somebody is gone.
    """
    index = torch.empty(task.size, dtype=torch.int64)
    with group.doing(task):
        group.share(index)
        _embed_part(group, index.numpy(), own, torch.empty(task.size, dim))


def _embed_part(group: Group, index: IntArray, own: Callable[[IntArray], Tensor], whole_ND: Tensor) -> None:
    parts = group.parts(len(index), BLOCK)
    mine = parts[group.rank.number]
    if mine.stop > mine.start:
        whole_ND[mine] = own(index[mine])
    group.collect(whole_ND, mine, parts)
