"""Images as pictures made of characters: the pairs that `reid-tui data` prints.

A character cell shows two pixels one above the other: "▀" in the upper pixel's colour on the lower one's. Without
colour each cell is a character whose ink is the mean brightness of the two.

Legend: H, W pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from rich.console import Group
from rich.style import Style
from rich.text import Text

from reid_tui.data.facts import camera_name
from reid_tui.data.pairs import draw_epoch
from reid_tui.data.ramp import ramp
from reid_tui.text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from reid_tui.data.dataset import Dataset, UInt8Array

_GAP: Final = 3
_MOST_COLUMNS: Final = 32
_TALL_LINES: Final = 20
"""Pictures of more lines are halved where two pairs of them do not fit beside each other."""


def pairs(dataset: Dataset, count: int, seed: int, width: int, *, color: bool) -> RenderableType:
    """Pairs that a run with `seed` trains on, each with SAME or DIFFERENT below it: of both kinds the first ones.

    Args:
        dataset: pairs are drawn from its training images.
        count: pairs wanted, >= 0; at most one per training image is shown.
        seed: of the run.
        width: columns of the terminal, >= 1; pairs that do not fit beside each other go below.
        color: False for plain characters.

    Raises:
        DataError: fewer than two identities.
    """
    drawn = draw_epoch(dataset.train.identities, seed, 0)
    kinds = (np.flatnonzero(drawn.same_P)[: (count + 1) // 2], np.flatnonzero(~drawn.same_P)[: count // 2])
    index = np.sort(np.concatenate(kinds))
    step = _step(dataset.train.images, width)
    blocks = [
        _pair(dataset, int(drawn.first_P[i]), int(drawn.second_P[i]), step, same=bool(drawn.same_P[i]), color=color)
        for i in index
    ]
    if not blocks:
        return Group()
    across = max(1, (width + _GAP) // (len(blocks[0][0]) + _GAP))
    return Group(*(_beside(blocks[i : i + across]) for i in range(0, len(blocks), across)))


def picture(image: UInt8Array, step: int = 1, *, color: bool) -> list[Text]:
    """One image as lines of equal width.

    Args:
        image: (C, H, W) uint8, C is 1 or 3.
        step: each `step` x `step` pixels are shown as their mean, >= 1; what is left over at the rim is not shown.
        color: False for plain characters.

    Returns:
        Lines of W // step cells, half as many as pixels are shown one above the other, rounded up.
    """
    channels, height, width = image.shape
    rows, columns = height // step, width // step
    blocks = image[:, : rows * step, : columns * step].reshape(channels, rows, step, columns, step)
    small = blocks.mean(axis=(2, 4)).astype(np.uint8)
    if rows % 2:
        small = np.concatenate([small, np.zeros_like(small[:, :1])], axis=1)
    pixels = np.broadcast_to(small, (3, *small.shape[1:])).transpose(1, 2, 0)
    return [
        _colored(upper, lower) if color else _plain(upper, lower)
        for upper, lower in zip(pixels[::2], pixels[1::2], strict=True)
    ]


def _step(images: UInt8Array, terminal_width: int) -> int:
    """How far pictures are made smaller so that a pair is not taller than a terminal without need."""
    height, width = int(images.shape[2]), int(images.shape[3])
    step = -(-width // _MOST_COLUMNS)
    two_pairs = 4 * (width // step) + 2 + _GAP
    return 2 * step if height // step > 2 * _TALL_LINES and terminal_width < two_pairs else step


def _colored(upper: UInt8Array, lower: UInt8Array) -> Text:
    line = Text(no_wrap=True)
    for above, below in zip(upper.tolist(), lower.tolist(), strict=True):
        line.append("▀", Style(color=_hex(above), bgcolor=_hex(below)))
    return line


def _plain(upper: UInt8Array, lower: UInt8Array) -> Text:
    brightness = (upper.astype(np.float64).mean(axis=1) + lower.astype(np.float64).mean(axis=1)) / 2
    return Text("".join(map(ramp, brightness.tolist())), no_wrap=True)


def _hex(rgb: list[int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _pair(dataset: Dataset, first: int, second: int, step: int, *, same: bool, color: bool) -> list[Text]:
    """Both pictures beside each other, the verdict and the names below; lines of equal width."""
    train = dataset.train
    lines = [
        left.append(" ").append_text(right)
        for left, right in zip(
            picture(train.images[first], step, color=color),
            picture(train.images[second], step, color=color),
            strict=True,
        )
    ]
    width = len(lines[0])
    verdict = Text(
        "SAME" if same else "DIFFERENT", Style(bold=True, color=("green" if same else "red") if color else None)
    )
    labels = [_label(dataset, index) for index in (first, second)]
    named = Text(" | ".join(dict.fromkeys(labels)) if train.cameras is None else " | ".join(labels))
    for line in (verdict, named):
        line.truncate(width, overflow="ellipsis")
        line.align("center", width)
    return [*lines, verdict, named]


def _label(dataset: Dataset, index: int) -> str:
    train = dataset.train
    name = printable(dataset.train_identity_names[train.identities[index]], 24)
    return name if train.cameras is None else f"{name} cam {camera_name(dataset, int(train.cameras[index]))}"


def _beside(blocks: list[list[Text]]) -> Text:
    rows = []
    for lines in zip(*blocks, strict=True):
        row = Text(no_wrap=True)
        for number, line in enumerate(lines):
            row.append(" " * _GAP if number else "").append_text(line)
        row.rstrip()
        rows.append(row)
    return Text("\n", no_wrap=True).join([*rows, Text()])
