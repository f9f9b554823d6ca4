"""The room between header and footer, in which the panels stand where `layout.arrange` puts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Offset, Region, Spacing
from textual.layout import Layout, WidgetPlacement
from textual.widget import Widget

from reid_tui.tui.layout import Arrangement, Wish, arrange

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.geometry import Size
    from textual.layout import ArrangeResult

    from reid_tui.tui.widgets.panel import Panel


class _Boxes(Layout):
    """Textual's view of an arrangement."""

    name = "boxes"

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:
        assert isinstance(parent, PanelArea)
        boxes = arrange(size.width, size.height, parent.wish).boxes
        placements = []
        for child in children:
            if (box := boxes.get(child.id or "")) is not None:
                region = Region(box.x, box.y, box.width, box.height)
                placements.append(WidgetPlacement(region, Offset(0, 0), Spacing(), child))
        return placements


class PanelArea(Widget):
    """Owns the wish of what is to be seen; hides what the arrangement leaves out."""

    BLANK = True

    def __init__(self, panels: tuple[Panel, ...]) -> None:
        super().__init__(id="area")
        self.panels = panels
        self.wish = Wish()
        self._boxes = _Boxes()

    @property
    def layout(self) -> Layout:
        """Instead of what the style sheet says."""
        return self._boxes

    @property
    def arrangement(self) -> Arrangement:
        """Where everything stands at the present size."""
        return arrange(self.size.width, self.size.height, self.wish)

    def compose(self) -> ComposeResult:
        """All panels, always; some of them are hidden."""
        yield from self.panels

    def rearrange(self, wish: Wish) -> None:
        """Show what the person wants now."""
        self.wish = wish
        self._apply()
        self.refresh(layout=True)

    def on_resize(self) -> None:
        """More or less may fit."""
        self._apply()

    def _apply(self) -> None:
        boxes = self.arrangement.boxes
        for panel in self.panels:
            panel.display = panel.key in boxes
        focused = self.screen.focused
        if focused is not None and not focused.display:
            self.screen.set_focus(None)
