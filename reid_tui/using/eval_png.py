"""An evaluation as a picture: curves, scores and worst mistakes. Pillow only."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reid_tui.using import eval_table as table
from reid_tui.using.distance_matrix import tail
from reid_tui.view.palette import ChartStyle
from reid_tui.view.roc_chart import ROLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reid_tui.data.dataset import UInt8Array
    from reid_tui.evaluation.detailed import Mistake
    from reid_tui.using.evaluating import Evaluated, Split

    Rgb = tuple[int, int, int]
    Points = Sequence[tuple[float, float]]

WIDTH: Final = 1500
_MARGIN: Final = 40
_GAP: Final = 30
_TEXT: Final = 20
_SMALL: Final = 15
_LINE: Final = 28
_PLOT: Final = (WIDTH - 2 * _MARGIN - _GAP) // 2, 400
_AXIS: Final = 60
"""Pixels left of a plot and below it."""
_ROW: Final = 22
_ROW_LABEL: Final = 170
_ACROSS: Final = 5
_THUMB: Final = ((WIDTH - 2 * _MARGIN) // _ACROSS - _GAP - 6) // 2
_TALLEST: Final = 2 * _THUMB
_INK: Final = ChartStyle.light()
_GRID: Final = (225, 228, 232)
_LACKING: Final = str.maketrans({"\u2032": "'", "\u2013": "-", "\u2212": "-"})
"""Characters of ours that the font has not."""


class _Sheet:
    """A white sheet that grows downwards."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH, 10_000), "white")
        self.draw = ImageDraw.Draw(self.image)
        self.y = _MARGIN

    def line(self, text: str, *, size: int = _TEXT, ink: Rgb = _INK.foreground) -> None:
        self.text((_MARGIN, self.y), text, WIDTH - 2 * _MARGIN, size=size, ink=ink)
        self.y += _LINE

    def text(
        self, at: tuple[float, float], text: str, width: float, *, size: int = _TEXT, ink: Rgb = _INK.foreground
    ) -> None:
        """One line, cut where it is too long."""
        font, text = ImageFont.load_default(size), text.translate(_LACKING)
        while text and font.getlength(text) > width:
            text = f"{text[:-2]}…" if len(text) > 2 else ""
        self.draw.text(at, text, fill=ink, font=font)

    def png(self) -> bytes:
        content = io.BytesIO()
        self.image.crop((0, 0, WIDTH, self.y + _MARGIN)).save(content, "PNG")
        return content.getvalue()


def as_png(found: Evaluated) -> bytes:
    """Draw an evaluation; names that the font lacks are boxes."""
    sheet = _Sheet()
    step = "" if found.step is None else f", step {found.step:,}"
    sheet.line(f"{found.name}{step}", size=28)
    sheet.y += 10
    sheet.line(found.data)
    for split in found.splits:
        sheet.line(f"{split.name}: {table.about(split)}", size=_SMALL)
    sheet.y += _GAP // 2
    _plots(sheet, found)
    _scores(sheet, found)
    main = found.splits[0]
    if main.subjects.image is not None:
        for text, kind in table.mistakes(main):
            sheet.y += _GAP // 2
            sheet.line(text)
            _pairs(sheet, main, kind, main.subjects.image)
    return sheet.png()


def _plots(sheet: _Sheet, found: Evaluated) -> None:
    shown = [split for split in found.splits if split.name != "validation"]
    roc = [list(zip(np.log10(split.detailed.roc.far_U), split.detailed.roc.tar_U, strict=True)) for split in shown]
    low = min([math.floor(curve[0][0] + 1e-9) for curve in roc if curve], default=-1)
    cmc = [list(enumerate(split.detailed.cmc_K.tolist(), 1)) for split in shown if split.detailed.scores.queries]
    last = max([len(curve) for curve in cmc], default=2)
    ranks = {float(rank): str(rank) for rank in (1, 5, 10, 15, 20) if rank <= last}
    powers = {float(power): f"{10.0**power:g}" for power in range(min(low, -1), 1)}
    names = [split.name for split in shown]
    left, right = _MARGIN, _MARGIN + _PLOT[0] + _GAP
    _plot(sheet, left, "true acceptances at false acceptances (ROC)", roc, powers, names)
    _plot(sheet, right, "found up to a rank (CMC)", cmc, ranks, names)
    sheet.y += _PLOT[1] + _AXIS + _GAP


def _plot(
    sheet: _Sheet, left: int, title: str, curves: Sequence[Points], ticks: dict[float, str], names: Sequence[str]
) -> None:
    """Curves over 0..1; x runs from the first tick to the last."""
    draw, top = sheet.draw, sheet.y + _LINE
    x0, x1, y0, y1 = left + _AXIS, left + _PLOT[0], top + _PLOT[1] - _LINE, top
    sheet.text((left + _AXIS, sheet.y - 4), title, _PLOT[0])
    low, high = min(ticks), max(ticks)

    def place(x: float, y: float) -> tuple[float, float]:
        return x0 + (x - low) / (high - low or 1) * (x1 - x0), y0 + y * (y1 - y0)

    for share in (0, 0.25, 0.5, 0.75, 1):
        draw.line([place(low, share), place(high, share)], fill=_GRID, width=1)
        sheet.text((left, place(low, share)[1] - 10), f"{share:g}", _AXIS, size=_SMALL, ink=_INK.muted)
    for value, label in ticks.items():
        x = place(value, 0)[0]
        draw.line([(x, y0), (x, y1)], fill=_GRID, width=1)
        sheet.text((x - 4 * len(label), y0 + 6), label, _AXIS, size=_SMALL, ink=_INK.muted)
    x = x0
    for curve, name, role in reversed(list(zip(curves, names, ROLES, strict=False))):
        ink = getattr(_INK, role)
        draw.line([place(*point) for point in curve], fill=ink, width=4, joint="curve")
        draw.rectangle((x, y0 + 38, x + 24, y0 + 44), fill=ink)
        sheet.text((x + 32, y0 + 30), name, 120, size=_SMALL)
        x += 160


def _scores(sheet: _Sheet, found: Evaluated) -> None:
    """The scores, and to their right those after re-ranking."""
    names = table.Row("", [split.name for split in found.splits])
    tables = [[names, *table.score_rows(found)]]
    if rows := table.reranked_rows(found):
        tables.append([table.Row("re-ranked", names.cells), *rows])
    top = sheet.y
    for number, rows in enumerate(tables):
        left = _MARGIN + number * (_PLOT[0] + _GAP)
        column = (_PLOT[0] - _ROW_LABEL) // max(len(found.splits), 3)
        for line, row in enumerate(rows):
            y = top + line * _ROW
            sheet.text((left, y), row.label, _ROW_LABEL, size=_SMALL)
            for place, cell in enumerate(row.cells):
                sheet.text((left + _ROW_LABEL + place * column, y), cell, column - 6, size=_SMALL)
        sheet.y = max(sheet.y, top + len(rows) * _ROW)


def _pairs(sheet: _Sheet, split: Split, kind: Sequence[Mistake], image: Callable[[int], UInt8Array]) -> None:
    """One row of them."""
    tallest = 0
    for number, mistake in enumerate(kind[:_ACROSS]):
        left = _MARGIN + number * (2 * _THUMB + 6 + _GAP)
        bottoms = []
        for side, place in enumerate((mistake.query, mistake.found)):
            thumb = _thumb(image(place))
            x = left + side * (_THUMB + 6)
            sheet.image.paste(thumb, (x, sheet.y))
            bottom = sheet.y + thumb.height + 4
            sheet.text((x, bottom), table.subject(split, place), _THUMB, size=_SMALL)
            bottom += 20
            if name := split.subjects.file(place):
                sheet.text((x, bottom), tail(name, 18), _THUMB, size=_SMALL, ink=_INK.muted)
                bottom += 20
            bottoms.append(bottom)
        sheet.text((left, max(bottoms)), table.caption(mistake), 2 * _THUMB, size=_SMALL)
        tallest = max(tallest, max(bottoms) + _LINE - sheet.y)
    sheet.y += tallest


def _thumb(pixels: UInt8Array) -> Image.Image:
    """A picture as large as there is room."""
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    scale = min(_THUMB / image.width, _TALLEST / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.convert("RGB").resize(size, Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.NEAREST)
