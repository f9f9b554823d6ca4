"""The folder of a run while it trains. Removed under it, it is made again; moved, it is followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reid_tui.errors import RunError
from reid_tui.opening.record import config_content
from reid_tui.runs.directory import RunDirectory
from reid_tui.training.events import Warned

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reid_tui.opening.opening import Opening
    from reid_tui.runs.recorder import Recorder


class Home:
    """Asked before each write: two looks at the lock where nothing has happened."""

    def __init__(self, opening: Opening, recorder: Recorder, listen: Callable[[], None]) -> None:
        """Take a run that lies where it began.

        Args:
            opening: its lock is held; config.json is written from it.
            recorder: has the log, and tells what has happened.
            listen: lets other processes steer the run once more.
        """
        self._opening = opening
        self._recorder = recorder
        self._listen = listen
        self._there = opening.run.path
        self._gone = ""
        """What is to be told once all of it is there again."""

    def __call__(self) -> Path:
        """The run's folder, with those in it.

        Raises:
            OSError: it can be neither found nor made.
        """
        there = self._opening.lock.folder()
        if there is None:
            there = self._locked_again()
        if self._gone:
            self._fill()
        elif there != self._there:
            self._recorder.go_on_at(RunDirectory(there).events)
            self._tell("folder_moved", f"the run's folder was moved, what is saved goes to {str(there)!r}")
        RunDirectory(there).make_folders()
        self._there = there
        return there

    def _locked_again(self) -> Path:
        run = self._opening.run
        lost = "" if run.checkpoints.is_dir() else "; earlier checkpoints and maps are lost"
        self._gone = self._gone or f"the run's folder {str(run.path)!r} was removed and is made again{lost}"
        run.make_folders()
        try:
            self._opening.lock.renew()
        except RunError as error:
            raise OSError(str(error)) from error
        return run.path

    def _fill(self) -> None:
        """Write again what stands in the folder from the start; nothing but its checkpoints and maps is lost."""
        run = self._opening.run
        self._recorder.go_on_at(run.events)
        run.write_config(config_content(self._opening))
        self._listen()
        self._tell("folder_removed", self._gone)
        self._gone = ""

    def _tell(self, code: str, message: str) -> None:
        self._recorder(Warned(step=self._recorder.step, code=code, message=message))
