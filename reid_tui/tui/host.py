"""The process around the app: what it is asked, and what it is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reid_tui.training.events import RunStarted


class Host:
    """A process with nothing to lose: the app is all there is. What has a terminal and a run to see to overrides it."""

    takes_signals = False
    """Whether signals are orders to save, or to save and leave; in the main thread only."""
    detachable = False
    """Whether the shell can be given back while the run trains on."""

    def hung_up(self) -> bool:
        """Whether the terminal has gone away."""
        return False

    def written(self) -> int:
        """Bytes that the terminal has taken."""
        return 0

    def picture_folder(self) -> Path:
        """Where pictures of the screen go."""
        return Path.cwd()

    def started(self, event: RunStarted) -> None:
        """The run has a name."""

    def theme_chosen(self, name: str) -> None:
        """A person chose a theme, of `config.THEMES`."""

    def closing(self) -> None:
        """The app begins to close."""
