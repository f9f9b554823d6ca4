"""run.log: what this package has to say of a run while it is open. A full disk costs lines, never the run."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from reid_tui.files import PRIVATE_FILE
from reid_tui.text import printable_lines


class MessageFile(logging.FileHandler):
    """Appends messages to a private file. Once it is open, nothing that happens to the disk is an error here."""

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            OSError: it cannot be made.
        """
        path.touch(mode=PRIVATE_FILE)
        super().__init__(path, encoding="utf-8", errors="replace")
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message; to a new file where the one before was removed."""
        with contextlib.suppress(OSError):
            if self.stream is not None and not os.fstat(self.stream.fileno()).st_nlink:
                Path(self.baseFilename).touch(mode=PRIVATE_FILE)
                self.stream.close()
                self.stream = self._open()
        super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        """A message and its traceback, without anything that a terminal would interpret."""
        return printable_lines(super().format(record))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class's name
        """Stay quiet: the base class would print the message and a traceback on the terminal."""

    def close(self) -> None:
        """Close it; what the disk did not take is lost."""
        with contextlib.suppress(OSError):
            super().close()
