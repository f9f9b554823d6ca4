"""A widget whose rows are kept until something of it changes.

Textual asks every widget in the rectangle around all changes for all of its rows, and goes over each of them anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from textual.widget import Widget

if TYPE_CHECKING:
    from textual.geometry import Region
    from textual.strip import Strip


class Kept(Widget):
    """Whatever changes it asks for a refresh, or for other styles."""

    _kept: tuple[Region, str, list[Strip]] | None = None

    def render_lines(self, crop: Region) -> list[Strip]:
        """As Textual's, but at once where nothing changed since it was asked for the same rows."""
        theme = self.app.theme
        if self._kept is not None and self._kept[:2] == (crop, theme):
            return self._kept[2]
        strips = super().render_lines(crop)
        self._kept = crop, theme, strips
        return strips

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """As Textual's."""
        self._kept = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        """As Textual's."""
        self._kept = None
        super().notify_style_update()
