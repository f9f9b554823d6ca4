"""A thread that makes what was written to a file durable, so that whoever writes never waits for the disk."""

from __future__ import annotations

import os
import threading


class Flusher:
    """Calls fsync every so often, and only when something was written since. Ends with `close`."""

    def __init__(self, descriptor: int, every_s: float) -> None:
        """Start the thread.

        Args:
            descriptor: of the file; it stays the caller's.
            every_s: seconds between two looks.
        """
        self._descriptor = descriptor
        self._every_s = every_s
        self._swap = threading.Lock()
        """Held for moments only, never during an fsync."""
        self._dirty = False
        self._error: OSError | None = None
        self._told = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reid-tui-flusher", daemon=True)
        self._thread.start()

    def written(self) -> None:
        """Say that there is something new."""
        self._dirty = True

    def turn_to(self, descriptor: int) -> None:
        """Go on with another file; on return the one before is not touched any more."""
        with self._swap:
            self._descriptor = descriptor

    def sync(self) -> None:
        """Make durable what was written so far. A disk that refuses is remembered for `new_error`, and tried again."""
        with self._swap:
            if not self._dirty:
                return
            try:
                descriptor = os.dup(self._descriptor)
            except OSError as error:
                self._error = error
                return
            self._dirty = False
        try:
            os.fsync(descriptor)
        except OSError as error:
            self._dirty = True
            self._error = error
        else:
            self._error = None
            self._told = False
        finally:
            os.close(descriptor)

    def new_error(self) -> OSError | None:
        """Why the newest fsync failed; given once, until one has succeeded in between."""
        if self._error is None or self._told:
            return None
        self._told = True
        return self._error

    def close(self) -> None:
        """End the thread; what it is writing is waited for."""
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(self._every_s):
            self.sync()
