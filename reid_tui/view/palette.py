"""Colours of the charts, for dark and light terminals and for terminals with few colours or none."""

from __future__ import annotations

import string
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal, NamedTuple

Glyphs = Literal["braille", "block", "ascii"]
Colors = Literal["truecolor", "256", "16", "none"]
Role = Literal["foreground", "muted", "accent", "same", "different", "margin", "threshold"]
Rgb = tuple[int, int, int]

IDENTITY_COLORS: Final[tuple[Rgb, ...]] = (
    (66, 135, 245),  # blue
    (240, 140, 30),  # orange
    (38, 166, 91),  # green
    (229, 62, 72),  # red
    (152, 96, 232),  # violet
    (0, 178, 190),  # turquoise
    (240, 90, 175),  # pink
    (190, 165, 10),  # yellow
    (168, 110, 70),  # brown
    (140, 146, 158),  # grey
)
"""Ten that differ from each other and stand out from black and from white."""
_IDENTITY_ANSI: Final = {
    True: (94, 33, 92, 91, 95, 96, 97, 93, 31, 90),
    False: (34, 33, 32, 31, 35, 36, 95, 30, 91, 90),
}
"""The same ten with sixteen colours, by whether the background is dark."""
_ROLE_ANSI: Final[dict[bool, dict[Role, int]]] = {
    True: {
        "foreground": 39, "muted": 90, "accent": 96, "same": 96, "different": 91, "margin": 93, "threshold": 95,
    },
    False: {
        "foreground": 39, "muted": 90, "accent": 34, "same": 36, "different": 31, "margin": 33, "threshold": 35,
    },
}  # fmt: skip
_LETTERS: Final = string.digits + string.ascii_lowercase + string.ascii_uppercase


class Ink(NamedTuple):
    """A colour as RGB and as the SGR code (30 to 39, 90 to 97) that stands for it with sixteen colours."""

    rgb: Rgb
    ansi: int
    faint: bool = False
    """Shown dim where there are no colours."""


@dataclass(frozen=True, slots=True)
class ChartStyle:
    """How charts are drawn. The defaults suit a dark background; `light()` has the other ones."""

    glyphs: Glyphs = "braille"
    colors: Colors = "truecolor"
    dark: bool = True
    foreground: Rgb = (222, 226, 232)
    muted: Rgb = (112, 120, 134)
    accent: Rgb = (96, 176, 255)
    same: Rgb = (32, 178, 170)
    different: Rgb = (240, 128, 60)
    margin: Rgb = (250, 208, 64)
    threshold: Rgb = (202, 140, 255)
    identity_colors: tuple[Rgb, ...] = IDENTITY_COLORS

    @classmethod
    def light(cls, glyphs: Glyphs = "braille", colors: Colors = "truecolor") -> ChartStyle:
        """For a light background."""
        return replace(
            cls(glyphs, colors, dark=False),
            foreground=(36, 41, 47),
            muted=(140, 148, 158),
            accent=(9, 96, 210),
            same=(0, 140, 132),
            different=(214, 96, 20),
            margin=(160, 110, 0),
            threshold=(128, 70, 214),
        )

    def ink(self, role: Role) -> Ink:
        """The colour of a part of a chart."""
        return Ink(getattr(self, role), _ROLE_ANSI[self.dark][role], faint=role == "muted")

    def identity(self, index: int) -> Ink:
        """The colour of an identity; they repeat when there are more identities than colours."""
        codes = _IDENTITY_ANSI[self.dark]
        place = index % len(self.identity_colors)
        return Ink(self.identity_colors[place], codes[place % len(codes)])


def identity_letter(index: int) -> str:
    """One cell that names an identity: 0 to 9, a to z, A to Z, and again."""
    return _LETTERS[index % len(_LETTERS)]


def mixed(first: Rgb, second: Rgb) -> Rgb:
    """The colour halfway between two."""
    red, green, blue = ((a + b) // 2 for a, b in zip(first, second, strict=True))
    return red, green, blue


@lru_cache(maxsize=8192)
def sgr_codes(ink: Ink, colors: Colors, *, background: bool = False) -> str:
    """The parameters of the SGR sequence that selects a colour; empty where there are no colours."""
    match colors:
        case "truecolor":
            return f"{48 if background else 38};2;{ink.rgb[0]};{ink.rgb[1]};{ink.rgb[2]}"
        case "256":
            return f"{48 if background else 38};5;{_nearest_256(ink.rgb)}"
        case "16":
            return str(ink.ansi + 10 if background else ink.ansi)
        case "none":
            return "2" if ink.faint and not background else ""


_CUBE: Final = (0, 95, 135, 175, 215, 255)


def _nearest_256(rgb: Rgb) -> int:
    """Of the 6x6x6 cube and the 24 greys; the first sixteen differ between terminals."""
    steps = [min(range(6), key=lambda i: abs(_CUBE[i] - part)) for part in rgb]
    grey = min(max(round((sum(rgb) / 3 - 8) / 10), 0), 23)
    candidates = {
        16 + 36 * steps[0] + 6 * steps[1] + steps[2]: tuple(_CUBE[step] for step in steps),
        232 + grey: (8 + 10 * grey,) * 3,
    }
    return min(candidates, key=lambda code: sum((a - b) ** 2 for a, b in zip(candidates[code], rgb, strict=True)))
