"""A trainer that does what a script says, the app around it, and a way to wait without sleeping."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
from textual.events import Key
from textual.keys import _character_to_key

from reid_tui.config import RunOptions, resolve
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.tui.dashboard import ReidTuiApp
from reid_tui.tui.host import Host
from reid_tui.tui.session import News
from reid_tui.tui.terminal.look import Look
from tests.view.samples import fitted

LOOK = Look("truecolor", "braille")
NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
CONFIG = resolve(RunOptions(), "fashion-mnist", 10)


class Signalled(Host):
    takes_signals = True


class Detachable(Host):
    detachable = True


class Script:
    """A session whose events come from the test and, for commands, from an obedient pretended trainer."""

    def __init__(self, *, obeys: bool = True, remote: bool = False) -> None:
        self.sent: list[cmd.Command] = []
        self.began = False
        self.alive = False
        self.remote = remote
        self.deaf = ""
        self.step = 0
        self.margin = 1.0
        self._seq = 0
        self.past: list[ev.AnyEvent] = []
        self._waiting: list[ev.AnyEvent] = []
        self._obeys = obeys

    def start(self) -> None:
        self.began = self.alive = True

    def send(self, command: cmd.Command, origin: str = "") -> None:
        self.sent.append(command)
        if self._obeys:
            self._obey(command)

    def drain(self) -> News:
        news = News(self.past, self._waiting)
        self.past, self._waiting = [], []
        return news

    def join(self, timeout: float) -> None:
        pass

    def emit(self, *events: ev.AnyEvent) -> None:
        for event in events:
            self._seq += 1
            self._waiting.append(dataclasses.replace(event, seq=self._seq, time=time.time()))

    def run_started(self, **changes: Any) -> None:
        values = {
            "step": 0,
            "schema": 1,
            "run": "20261112-101500-fashion-mnist",
            "device": "cpu",
            "precision": "fp32",
            "dataset": ev.DatasetFacts("fashion-mnist", 60_000, 10_000, 10, NAMES, "in a folder", unseen=False),
            "model": "tutorial",
            "parameters": 315_010,
            "batch_size": 64,
            "pairs": "random",
            "margin": 1.0,
            "lr": 1e-3,
            "seed": 0,
            "epochs": 5,
            "total_steps": 4690,
            "steps_per_epoch": 938,
            "pid": 1,
            "config": CONFIG,
        }
        self.emit(ev.RunStarted(**{**values, **changes}))

    def train(self, steps: int) -> None:
        for _ in range(steps):
            self.step += 1
            self.emit(
                ev.Progress(
                    step=self.step,
                    epoch=1 + self.step // 938,
                    loss=0.05 + 1 / (self.step + 1),
                    margin=self.margin,
                    lr=1e-3,
                    pairs_seen=64 * self.step,
                    pairs_per_s=4000.0,
                    wall_s=self.step / 60,
                    skipped=0,
                )
            )

    def evaluate(self) -> None:
        rng = np.random.default_rng(0)
        identities = np.arange(200, dtype=np.int64) % 10
        points = (rng.normal(0, 0.2, (200, 2)) + np.stack([identities, identities % 3], 1)).astype(np.float32)
        edges = tuple(np.linspace(0, 3, 13).tolist())
        self.emit(
            ev.Evaluated(
                step=self.step,
                epoch=1,
                split="test",
                images=200,
                rank1=0.812,
                map=0.781,
                auc=0.965,
                eer=0.094,
                threshold=0.91,
                d_prime=2.37,
                fitted=fitted(0.62),
            ),
            ev.EmbeddingsReady(step=self.step, split="test", path="", points=points, identities=identities),
            ev.DistancesReady(
                step=self.step,
                split="test",
                edges=edges,
                same=(9, 5, *[0] * 10),
                different=(*[0] * 4, *[3] * 8),
                threshold=0.91,
            ),
        )

    def _turn(self, margin: float) -> None:
        self.emit(ev.MarginChanged(step=self.step, old=self.margin, new=margin))
        self.margin = margin

    def _obey(self, command: cmd.Command) -> None:
        step = self.step
        match command:
            case cmd.Pause():
                self.emit(ev.Paused(step=step))
            case cmd.Resume():
                self.emit(ev.Resumed(step=step))
            case cmd.Step():
                self.train(1)
            case cmd.Save():
                self.emit(ev.CheckpointSaved(step=step, path="checkpoints/x", seconds=0.01, reason="asked"))
            case cmd.Evaluate():
                self.evaluate()
            case cmd.GoBack(step):
                self.step = step
                self.emit(ev.Rewound(step=step, from_step=40, margin=1.0, lr=1e-3), ev.Paused(step=step))
            case cmd.SetMargin(value):
                self._turn(value)
            case cmd.ShiftMargin(by):
                self._turn(round(self.margin + by, 9))
            case cmd.SetLearningRate(value):
                self.emit(ev.LrChanged(step=step, old=1e-3, new=value))
            case cmd.Stop(save, reason):
                self.emit(ev.Stopped(step=step, reason=reason, saved=save))
                self.alive = False


class Rig:
    """The app under test, its script, and what can be seen."""

    def __init__(self, app: ReidTuiApp, script: Script, pilot: Any) -> None:
        self.app = app
        self.script = script
        self.pilot = pilot

    @property
    def text(self) -> str:
        """The top screen's cells."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    @property
    def main(self) -> Any:
        return self.app._main

    def panel(self, name: str) -> Any:
        return next(panel for panel in self.main.area.panels if panel.key == name)

    async def press(self, *keys: str) -> None:
        """As from the keyboard; unlike the pilot's it does not wait until the app is idle."""
        for key in keys:
            name = _character_to_key(key) if len(key) == 1 else key
            self.app.post_message(Key(name, key if len(key) == 1 else None))

    async def until(self, condition: Callable[[], object], seconds: float = 8.0) -> None:
        await until(condition, seconds, lambda: self.text if self.app.is_running else "the app has ended")

    async def resize(self, width: int, height: int) -> None:
        await self.pilot.resize_terminal(width, height)


async def until(
    condition: Callable[[], object], seconds: float = 8.0, describe: Callable[[], str] = lambda: ""
) -> None:
    """Let the app work until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds} s\n{describe()}"
        await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def dashboard(
    script: Script | None = None,
    *,
    size: tuple[int, int] = (120, 40),
    look: Look = LOOK,
    started: bool = True,
    notifications: bool = False,
    host: Host | None = None,
    exit_when_done: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Rig]:
    """The real app on a script, with a run that has begun."""
    script = script or Script()
    app = ReidTuiApp(script, look, fps=50, host=host, exit_when_done=exit_when_done, clock=clock)
    async with app.run_test(size=size, notifications=notifications) as pilot:
        rig = Rig(app, script, pilot)
        await rig.until(lambda: script.began)
        if started:
            script.run_started()
            script.evaluate()
            script.train(40)
            await rig.until(lambda: "TRAINING" in rig.text and app.state.step == 40)
        yield rig
