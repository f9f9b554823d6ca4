"""A real terminal: one tmux server of our own with one window, to type into and to read from."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType


class Tmux:
    """A shell in a terminal of a known size; ends with its `with` block."""

    def __init__(self, width: int, height: int, cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self._socket = f"reid-{uuid.uuid4().hex[:8]}"
        self._size = ["-x", str(width), "-y", str(height)]
        self._cwd = cwd
        self._env = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})}
        self._env.pop("TMUX", None)

    def __enter__(self) -> Tmux:
        shell = "env PS1='$ ' bash --norc --noprofile"
        self._tmux("-f", "/dev/null", "new-session", "-d", *self._size, "-c", str(self._cwd), shell)
        self.until(lambda screen: "$" in screen, 20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tmux("kill-server")

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-L", self._socket, *words]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=True)
        return done.stdout

    def run(self, *command: str) -> None:
        """Type a command line and Enter."""
        self._tmux("send-keys", "-l", shlex.join(command))
        self.press("Enter")

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names, such as Space, Enter, C-c, or a letter."""
        self._tmux("send-keys", *keys)

    def screen(self) -> str:
        """What stands on the screen."""
        return self._tmux("capture-pane", "-p")

    def colored(self) -> str:
        """The same with SGR sequences."""
        return self._tmux("capture-pane", "-p", "-e")

    def scrollback(self) -> str:
        """Everything that was printed, wrapped lines joined."""
        return self._tmux("capture-pane", "-p", "-J", "-S", "-2000")

    def fact(self, name: str) -> str:
        """A format variable of the pane, such as alternate_on, pane_title or cursor_flag."""
        return self._tmux("display-message", "-p", f"#{{{name}}}").strip()

    def resize(self, width: int, height: int) -> None:
        """Change the terminal's size."""
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def until(self, condition: Callable[[str], object], timeout_s: float) -> str:
        """Wait until the screen fulfils a condition, and return it."""
        deadline = time.monotonic() + timeout_s
        while True:
            screen = self.screen()
            if condition(screen):
                return screen
            if time.monotonic() > deadline:
                raise TimeoutError(f"not seen within {timeout_s} s; the screen:\n{screen}")
            time.sleep(0.05)
