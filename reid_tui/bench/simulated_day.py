"""A day of training for the screen alone, without training: `python -m reid_tui.bench.simulated_day FILE HOURS`.

In a terminal; the dashboard itself is fed with the events of so many hours as fast as it draws, only its clock is made
up. At the end of each hour it notes in FILE what its process occupies.
"""

from __future__ import annotations

import math
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.config import RunOptions, ScreenOptions, resolve
from reid_tui.training import events as ev
from reid_tui.tui.session import HERE, News
from reid_tui.tui.terminal.look import decide_look, prepare_textual

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reid_tui.training.commands import Command

_HOUR_S: Final = 3600
TICK_S: Final = 60
"""Of the day, between two pulls of the screen."""
STEPS_PER_S: Final = 60
STEPS_PER_EPOCH: Final = 938
_IMAGES: Final = 2000
_FPS: Final = 60
_NAMES: Final = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot")


class Day:
    """A session whose events tell of so many hours: two evaluations an epoch, another margin every ten minutes."""

    def __init__(self, hours: int, file: Path, seed: int = 0) -> None:
        self.now = 0.0
        self.alive = True
        self.remote = False
        self.deaf = ""
        self._hours = hours
        self._file = file
        self._rng = np.random.default_rng(seed)
        self._step = self._seq = 0
        self._margin = 1.0
        self._began = self._ended = False

    def start(self) -> None:
        """Begin with the next drain."""
        self._began = True

    def send(self, command: Command, origin: str = HERE) -> None:
        """Nothing obeys."""

    def join(self, timeout: float) -> None:
        """There is no thread."""

    def clock(self) -> float:
        """Seconds of the day."""
        return self.now

    def drain(self) -> News:
        """What happens in the next `TICK_S` seconds."""
        if not self._began or self._ended:
            return News([], [])
        first = self._start() if self._step == 0 else []
        self.now += TICK_S
        events = [*first, *self._trained()]
        if self.now % _HOUR_S == 0:
            with self._file.open("a") as file:
                file.write(f"{resident_bytes()}\n")
        if self.now >= self._hours * _HOUR_S:
            self._ended = True
            self.alive = False
            events.append(self._at(ev.Finished, reason="steps", steps=self._step, wall_s=self.now, loss=0.06))
        return News([], events)

    def _start(self) -> list[ev.AnyEvent]:
        config = resolve(RunOptions(), "fashion-mnist", len(_NAMES))
        steps = self._hours * _HOUR_S * STEPS_PER_S
        dataset = ev.DatasetFacts("fashion-mnist", 60_000, 10_000, len(_NAMES), _NAMES, "made up", unseen=False)
        return [
            self._at(
                ev.RunStarted,
                schema=1,
                run="a-day",
                device="cpu",
                precision="fp32",
                dataset=dataset,
                model="tutorial",
                parameters=315_010,
                batch_size=64,
                pairs="random",
                margin=1.0,
                lr=1e-3,
                seed=0,
                epochs=math.ceil(steps / STEPS_PER_EPOCH),
                total_steps=steps,
                steps_per_epoch=STEPS_PER_EPOCH,
                pid=os.getpid(),
                config=config,
            )
        ]

    def _trained(self) -> Iterator[ev.AnyEvent]:
        for loss in np.abs(self._rng.normal(0.07, 0.02, TICK_S * STEPS_PER_S)).tolist():
            self._step += 1
            yield self._at(
                ev.Progress,
                epoch=1 + self._step // STEPS_PER_EPOCH,
                loss=loss,
                margin=self._margin,
                lr=1e-3,
                pairs_seen=64 * self._step,
                pairs_per_s=64.0 * STEPS_PER_S + loss,
                wall_s=self._step / STEPS_PER_S,
                skipped=0,
            )
            if self._step % (STEPS_PER_EPOCH // 2) == 0:
                yield from self._evaluated()
            if self._step % STEPS_PER_EPOCH == 0:
                yield self._at(ev.EpochEnded, epoch=self._step // STEPS_PER_EPOCH, loss=loss, wall_s=self.now)
                path = f"checkpoints/step-{self._step:08d}"
                yield self._at(ev.CheckpointSaved, path=path, seconds=0.05, reason="epoch")
            if self._step % (600 * STEPS_PER_S) == 0:
                old, self._margin = self._margin, round(0.5 + self._rng.random(), 2)
                yield self._at(ev.MarginChanged, old=old, new=self._margin)

    def _evaluated(self) -> Iterator[ev.AnyEvent]:
        identities = np.arange(_IMAGES, dtype=np.int64) % len(_NAMES)
        points = self._rng.normal(0, 0.2, (_IMAGES, 2)) + np.stack([identities, identities % 3], 1)
        edges = tuple(np.linspace(0, 3, 49).tolist())
        same, different = (tuple(self._rng.integers(0, 200, 48).tolist()) for _ in range(2))
        score = 0.8 + 0.1 * float(self._rng.random())
        yield self._at(
            ev.EmbeddingsReady,
            split="test",
            path=f"embeddings/step-{self._step:08d}.npz",
            points=points.astype(np.float32),
            identities=identities,
        )
        yield self._at(
            ev.DistancesReady, split="test", edges=edges, same=same, different=different, threshold=score / 2
        )
        yield self._at(
            ev.Evaluated,
            epoch=1 + self._step // STEPS_PER_EPOCH,
            split="test",
            images=_IMAGES,
            rank1=score,
            map=score - 0.02,
            auc=0.97,
            eer=1 - score,
            threshold=score / 2,
            d_prime=2 + score,
        )

    def _at(self, kind: type[ev.AnyEvent], **values: object) -> ev.AnyEvent:
        self._seq += 1
        return kind(step=self._step, seq=self._seq, time=time.time(), **values)  # type: ignore[arg-type]


def resident_bytes(process: int | str = "self") -> int:
    """What a process occupies of the memory."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main(file: Path, hours: int) -> None:
    """Show the day."""
    look = decide_look(ScreenOptions(), os.environ)
    prepare_textual(look, _FPS)
    from reid_tui.tui.dashboard import ReidTuiApp

    day = Day(hours, file)
    ReidTuiApp(day, look, fps=_FPS, exit_when_done=True, clock=day.clock).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
