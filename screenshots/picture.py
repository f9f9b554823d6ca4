"""A terminal's screen, with its SGR colours, as a PNG. Dots, blocks and lines are drawn, letters come from a font."""

from __future__ import annotations

import subprocess
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from rich.ansi import AnsiDecoder
from rich.color import Color
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

CELL_W, CELL_H, SIZE = 10, 20, 16
THEME = TerminalTheme(
    (18, 18, 18),
    (224, 224, 224),
    [
        (0, 0, 0),
        (205, 49, 49),
        (13, 188, 121),
        (229, 229, 16),
        (36, 114, 200),
        (188, 63, 188),
        (17, 168, 205),
        (229,) * 3,
    ],
    [
        (102,) * 3,
        (241, 76, 76),
        (35, 209, 139),
        (245, 245, 67),
        (59, 142, 234),
        (214, 112, 214),
        (41, 184, 219),
        (255,) * 3,
    ],
)
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))  # of U+2800 + bits
LINES = {  # arms to the left, right, up, down
    **dict.fromkeys("─━╌┄", "lr"),
    **dict.fromkeys("│┃╎┆┊", "ud"),
    **dict(zip("╭╮╰╯┌┐└┘", ("rd", "ld", "ru", "lu") * 2, strict=True)),
    **dict(zip("├┤┬┴┼╴╶╵╷", ("rud", "lud", "lrd", "lru", "lrud", "l", "r", "u", "d"), strict=True)),
}
Rgb = tuple[int, int, int]


def font(bold: bool) -> ImageFont.FreeTypeFont:
    name = f"DejaVu Sans Mono:style={'Bold' if bold else 'Book'}"
    path = subprocess.run(["fc-match", "-f", "%{file}", name], capture_output=True, text=True, check=True).stdout
    return ImageFont.truetype(path, SIZE)


def colours(style: Style) -> tuple[Rgb, Rgb]:
    def rgb(color: Color | None, foreground: bool) -> Rgb:
        return tuple((color or Color.default()).get_truecolor(THEME, foreground=foreground))  # type: ignore[return-value]

    front, back = rgb(style.color, True), rgb(style.bgcolor, False)
    if style.reverse:
        front, back = back, front
    if style.dim:
        front = tuple((2 * f + b) // 3 for f, b in zip(front, back, strict=True))  # type: ignore[assignment]
    return front, back


def block(code: int) -> list[tuple[float, float, float, float]] | None:
    """Filled parts of a block element's cell: x0, y0, x1, y1 in 0..1."""
    if code == 0x2580:
        return [(0, 0, 1, 0.5)]
    if 0x2581 <= code <= 0x2588:
        return [(0, 1 - (code - 0x2580) / 8, 1, 1)]
    if 0x2589 <= code <= 0x258F:
        return [(0, 0, (0x2590 - code) / 8, 1)]
    if code == 0x2590:
        return [(0.5, 0, 1, 1)]
    if code in (0x2594, 0x2595):
        return [(0, 0, 1, 1 / 8)] if code == 0x2594 else [(7 / 8, 0, 1, 1)]
    quadrants = {
        0x2596: 4,
        0x2597: 8,
        0x2598: 1,
        0x2599: 13,
        0x259A: 9,
        0x259B: 7,
        0x259C: 11,
        0x259D: 2,
        0x259E: 6,
        0x259F: 14,
    }
    if code in quadrants:
        bits = quadrants[code]
        spots = [(0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5)]
        return [(x, y, x + 0.5, y + 0.5) for i, (x, y) in enumerate(spots) if bits >> i & 1]
    return None


def draw(screen: str, path: Path) -> None:
    """Render what `tmux capture-pane -e -p` printed."""
    lines = list(AnsiDecoder().decode(screen.rstrip("\n")))  # tmux lets colours run on from line to line
    width = max(line.cell_len for line in lines)
    image = Image.new("RGB", (width * CELL_W + 16, len(lines) * CELL_H + 16), tuple(THEME.background_color))
    pen = ImageDraw.Draw(image)
    fonts = {bold: font(bold) for bold in (False, True)}
    for row, line in enumerate(lines):
        styles = [Style.null()] * len(line.plain)
        for span in line.spans:
            for i in range(span.start, span.end):
                styles[i] += Style.parse(span.style) if isinstance(span.style, str) else span.style
        column = 0
        for character, style in zip(line.plain, styles, strict=True):
            cells = Text(character).cell_len
            cell(pen, fonts, column * CELL_W + 8, row * CELL_H + 8, character, style, max(1, cells))
            column += cells
    image.quantize(256).save(path, optimize=True)


def cell(
    pen: ImageDraw.ImageDraw,
    fonts: dict[bool, ImageFont.FreeTypeFont],
    x: int,
    y: int,
    text: str,
    style: Style,
    cells: int,
) -> None:
    front, back = colours(style)
    pen.rectangle((x, y, x + cells * CELL_W - 1, y + CELL_H - 1), fill=back)
    code = ord(text)
    if (parts := block(code)) is not None:
        for x0, y0, x1, y1 in parts:
            pen.rectangle(
                (
                    x + round(x0 * CELL_W),
                    y + round(y0 * CELL_H),
                    x + round(x1 * CELL_W) - 1,
                    y + round(y1 * CELL_H) - 1,
                ),
                fill=front,
            )
    elif 0x2800 <= code <= 0x28FF:
        for bit, (dx, dy) in enumerate(DOTS):
            if code >> bit & 1:
                px, py = x + 2 + dx * 5, y + 2 + dy * 5
                pen.ellipse((px - 1.5, py - 1.5, px + 1.5, py + 1.5), fill=front)
    elif text in LINES:
        middle_x, middle_y, thick = x + CELL_W // 2, y + CELL_H // 2, 2 if text in "━┃" else 1
        ends = {
            "l": (x, middle_y),
            "r": (x + CELL_W - 1, middle_y),
            "u": (middle_x, y),
            "d": (middle_x, y + CELL_H - 1),
        }
        for arm in LINES[text]:
            pen.line(((middle_x, middle_y), ends[arm]), fill=front, width=thick)
    elif text != " ":
        pen.text((x, y), text, font=fonts[bool(style.bold)], fill=front)
        if style.underline:
            pen.line((x, y + CELL_H - 3, x + CELL_W - 1, y + CELL_H - 3), fill=front)
