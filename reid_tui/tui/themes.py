"""Two themes of our own, and the charts' colours derived from whichever theme is on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from textual.color import Color, ColorParseError
from textual.theme import Theme

from reid_tui.view.palette import ChartStyle

if TYPE_CHECKING:
    from reid_tui.tui.terminal.look import Look
    from reid_tui.view.palette import Rgb

DARK: Final = Theme(
    name="reid-dark",
    primary="#5aa9f8",
    secondary="#8b949e",
    accent="#56d4c4",
    warning="#e8b339",
    error="#f4606c",
    success="#4fc37a",
    foreground="#d5dae1",
    background="#0e1116",
    surface="#141920",
    panel="#1c232d",
    dark=True,
    variables={"frame": "#2c3542", "frame-focus": "#5f7187", "footer-key-foreground": "#56d4c4"},
)
LIGHT: Final = Theme(
    name="reid-light",
    primary="#0a66c8",
    secondary="#57606a",
    accent="#00796b",
    warning="#9a6700",
    error="#c62838",
    success="#1a7f4b",
    foreground="#24292f",
    background="#fbfcfd",
    surface="#f1f4f7",
    panel="#e6ebf0",
    dark=False,
    variables={"frame": "#cdd5de", "frame-focus": "#7d8b99", "footer-key-foreground": "#00796b"},
)
_DARK_256: Final = replace(
    DARK,
    foreground="#dadada",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    variables={**DARK.variables, "frame": "#3a3a3a", "frame-focus": "#767676"},
)
_LIGHT_256: Final = replace(
    LIGHT,
    foreground="#262626",
    background="#ffffff",
    surface="#eeeeee",
    panel="#e4e4e4",
    variables={**LIGHT.variables, "frame": "#d0d0d0", "frame-focus": "#808080"},
)
_ANSI: Final = {
    "frame": "ansi_bright_black",
    "frame-focus": "ansi_cyan",
    "quiet": "ansi_bright_black",
    "faint": "ansi_bright_black",
}


def variables_for(theme: Theme) -> dict[str, str]:
    """What `reid.tcss` uses beyond Textual's own variables, for themes that do not know it."""
    if theme.ansi:
        return _ANSI
    colors = theme.to_color_system().generate()
    background, foreground = Color.parse(colors["background"]), Color.parse(colors["foreground"])
    return {
        "frame": colors["panel-lighten-1"],
        "frame-focus": colors["secondary"],
        "quiet": background.blend(foreground, 0.62).hex,
        "faint": background.blend(foreground, 0.42).hex,
    }


def own_themes(look: Look) -> tuple[Theme, Theme]:
    """A dark and a light one. With 256 colours their greys are among the 24 that exist: tinted ones would turn blue."""
    return (_DARK_256, _LIGHT_256) if look.colors == "256" else (DARK, LIGHT)


def first_theme(look: Look) -> str:
    """Textual's name of the one to begin with. Terminals with sixteen colours or none keep their own palette."""
    if look.theme not in ("dark", "light"):
        return look.theme
    return f"reid-{look.theme}" if look.colors in ("truecolor", "256") else f"ansi-{look.theme}"


def choice(name: str) -> str:
    """What stands for a theme of Textual's among `config.THEMES`."""
    return name.removeprefix("reid-")


def chart_style(theme: Theme, variables: dict[str, str], look: Look) -> ChartStyle:
    """Chart colours that belong to a theme.

    Args:
        theme: the one that is on.
        variables: Textual's, as the theme resolves them.
        look: what the terminal can show.
    """
    style = ChartStyle(look.glyphs, look.colors) if theme.dark else ChartStyle.light(look.glyphs, look.colors)
    foreground, background = _color(variables, "foreground"), _color(variables, "background")
    accent = _color(variables, "primary")
    if foreground is None or background is None or accent is None:
        return style
    return replace(
        style,
        foreground=_rgb(foreground),
        muted=_rgb(background.blend(foreground, 0.45)),
        accent=_rgb(accent),
    )


def _color(variables: dict[str, str], name: str) -> Color | None:
    try:
        color = Color.parse(variables.get(name, ""))
    except ColorParseError:
        return None
    return None if color.ansi is not None else color


def _rgb(color: Color) -> Rgb:
    return color.rgb
