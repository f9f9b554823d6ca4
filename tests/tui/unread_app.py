"""The app on a scripted run, in a process of its own: `python -m tests.tui.unread_app DIARY`.

A line of the diary says how far the screen's loop has come, and what waits for the terminal.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from reid_tui.config import ScreenOptions
from reid_tui.training import events as ev
from reid_tui.training.channels import EventBox
from reid_tui.tui.app import prepare
from reid_tui.tui.session import News
from tests.tui.rig import Script

FPS = 30
STEPS = 600
EVERY_S = 0.005


class Thread(Script):
    """Steps come from a thread at a steady pace, with an evaluation now and then, and at the end a warning."""

    def __init__(self) -> None:
        super().__init__()
        self.box = EventBox()

    def start(self) -> None:
        super().start()
        threading.Thread(target=self._work, daemon=True).start()

    def drain(self) -> News:
        return News([], self.box.drain())

    def emit(self, *events: ev.AnyEvent) -> None:
        super().emit(*events)
        for event in super().drain().live:
            self.box.put(event)

    def _work(self) -> None:
        self.run_started()
        self.evaluate()
        for _ in range(STEPS):
            self.train(1)
            if self.step % 50 == 0:
                self.evaluate()
            time.sleep(EVERY_S)
        self.emit(ev.Warned(step=self.step, code="x", message="the last words"))


def main(diary: Path) -> None:
    look = prepare(ScreenOptions(fps=FPS))
    from reid_tui.tui.dashboard import ReidTuiApp

    app = ReidTuiApp(Thread(), look, fps=FPS)

    def note() -> None:
        waiting = list(app._driver._writer_thread._queue.queue)  # type: ignore[union-attr]
        size = sum(len(item.encode()) for item in waiting)
        with diary.open("a") as file:
            file.write(json.dumps({"step": app.state.step, "writes": len(waiting), "bytes": size}) + "\n")

    app.call_later(lambda: app.set_interval(0.02, note))
    app.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
