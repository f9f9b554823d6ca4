"""Many sizes in quick succession, from one cell to a wall of screens: no exception, and the last picture is right."""

from __future__ import annotations

import asyncio
import math
import random

import pytest
from textual.events import Resize
from textual.geometry import Size

from reid_tui.training import events as ev
from reid_tui.tui import thrift
from tests.tui.rig import Rig, dashboard

SIZES = 30
CORNERS = [(1, 1), (500, 200), (500, 1), (1, 200), (2, 2), (60, 15), (59, 15), (120, 31), (119, 31)]


def enrich(rig: Rig) -> None:
    """Scores, marks and a log that is long, wide and wrapped."""
    for number in range(12):
        rig.script.train(30)
        rig.script.evaluate()
        rig.script.emit(ev.MarginChanged(step=rig.script.step, old=1 + number / 10, new=1.1 + number / 10))
        rig.script.emit(ev.Warned(step=rig.script.step, code="x", message=f"wide 日本 words {number} " * 9))


def send_size(rig: Rig, width: int, height: int) -> None:
    """As the driver does it, without waiting for anything."""
    size = Size(width, height)
    rig.app._driver._size = (width, height)  # type: ignore[union-attr]
    rig.app.post_message(Resize(size, size))


def picture(rig: Rig) -> list[str]:
    """All rows but what the machine says of itself."""
    return [row for row in rig.text.split("\n") if "memory" not in row]


@pytest.mark.slow
@pytest.mark.parametrize("key", ["", "question_mark", "m", "q", "ctrl+p", "z"])
async def test_a_storm_of_sizes(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the panels, the dialogs, the help, the palette and a zoomed panel."""
    monkeypatch.setattr(thrift, "EVERY", math.inf)
    rng = random.Random(key)
    sizes = [(rng.randint(1, 500), rng.randint(1, 200)) for _ in range(SIZES - len(CORNERS))] + CORNERS
    rng.shuffle(sizes)
    async with dashboard(size=(120, 40), notifications=True) as rig:
        enrich(rig)
        if key:
            screens = len(rig.app.screen_stack)
            await rig.press(key)
            await rig.until(lambda: key == "z" or len(rig.app.screen_stack) > screens)
        for width, height in sizes:
            send_size(rig, width, height)
            rig.script.train(1)
            await asyncio.sleep(rng.choice((0, 0, 0.01, 0.05)))
        step = rig.script.step
        for width, height in ((500, 200), (1, 1), (120, 40)):
            await rig.resize(width, height)
        await rig.press("escape")
        rig.app.clear_notifications()
        await rig.until(lambda: rig.app.state.step == step and f"{step}/4,690" in rig.text)
        assert rig.app.failure == ""
        found = rig

        async with dashboard(size=(120, 40), notifications=True) as calm:
            enrich(calm)
            calm.script.train(step - calm.script.step)
            calm.app.clear_notifications()
            await calm.until(lambda: picture(calm) == picture(found), 15)
