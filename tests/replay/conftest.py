"""A run that somebody steered, and the command that repeats it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid_tui.cli.main import run as command_line
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from tests.replay.orders import Orders, Say, go


@pytest.fixture(autouse=True)
def tiny_data(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for, the small data is found."""
    monkeypatch.setattr(catalog, "load", lambda *_: tiny)


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Replay the run named "run"; gives exit code, stdout and the last line on stderr."""

    def replay(*argv: str, run: str = "run", progress: str = "none") -> tuple[int, str, str]:
        capsys.readouterr()
        code = command_line(["train", "--replay", run, "--runs-dir", str(tmp_path), "--progress", progress, *argv])
        captured = capsys.readouterr()
        return code, captured.out, captured.err.splitlines()[-1]

    return replay


@pytest.fixture
def steered(tmp_path: Path) -> Path:
    """Margin and learning rate are turned at several steps; stopped, resumed with another margin, and turned again."""
    first: Orders = {
        4: [cmd.SetMargin(1.5)],
        9: [
            cmd.Pause(),
            cmd.ShiftMargin(0.05),
            cmd.ShiftMargin(-0.1),
            cmd.Step(),
            cmd.SetLearningRate(2e-3),
            cmd.Resume(),
        ],
        13: [cmd.SetMargin(0.7), cmd.Stop()],
    }
    assert isinstance(go(tmp_path, first), ev.Stopped)
    second: Orders = {17: [cmd.Evaluate(), cmd.Save(), cmd.SetLearningRate(3e-4)]}
    assert isinstance(go(tmp_path, second, resume="run", margin=2.0), ev.Finished)
    return tmp_path
