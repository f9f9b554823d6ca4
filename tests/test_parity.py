"""One seed, two ways in: the dashboard and the headless command learn the same, to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid_tui.config import RunOptions
from reid_tui.engine import run_training
from reid_tui.training import events as ev
from reid_tui.training.channels import CommandBox
from reid_tui.training.checkpoint import load_latest
from reid_tui.tui.dashboard import ReidTuiApp
from reid_tui.tui.session import WorkerSession
from tests.tui.rig import LOOK, until


@pytest.mark.slow
@pytest.mark.gpu
async def test_losses_and_weights_are_equal_with_and_without_the_dashboard(tmp_path: Path) -> None:
    options = {"data": "pedestrians", "batch_size": 16, "steps": 12, "seed": 5}
    heard: list[ev.AnyEvent] = []
    end = run_training(RunOptions(**options, runs_dir=str(tmp_path / "a")), heard.append, CommandBox(), steerable=False)
    assert isinstance(end, ev.Finished)

    app = ReidTuiApp(WorkerSession(RunOptions(**options, runs_dir=str(tmp_path / "b"))), LOOK)
    async with app.run_test(size=(120, 40)):
        await until(lambda: app.state.badge == "DONE", 60)
        shown = dict(zip(app.state.history.steps.tolist(), app.state.history.losses.tolist(), strict=True))

    assert shown == dict(loss for event in heard if isinstance(event, ev.Progress) for loss in event.of_steps())
    one, two = (load_latest(next((tmp_path / name).glob("*")) / "checkpoints")[0].manifest for name in "ab")
    assert one.sha256 == two.sha256
