"""Keys that arrive together, as from a line that stood still: each does what it would have done alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import Paste
from textual.widgets import Input

from reid_tui.training import commands as cmd
from reid_tui.tui import typed_ahead
from reid_tui.tui.screens.number import NumberScreen
from tests.ptys import Pty
from tests.tui.rig import Script, dashboard

MARGIN = ("m", *"0.55", "enter")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        (MARGIN, [cmd.SetMargin(0.55)]),
        (("r", *"5e-4", "enter"), [cmd.SetLearningRate(5e-4)]),
        (("m", *"0.55", "escape", "s"), [cmd.Save()]),
        ((*MARGIN, "r", *"0.01", "enter", "s"), [cmd.SetMargin(0.55), cmd.SetLearningRate(0.01), cmd.Save()]),
        (("m", "right", *"5", "backspace", *"25", "enter"), [cmd.SetMargin(1.0025)]),
        (("?", "escape", "s"), [cmd.Save()]),
        (("X", "escape", "s"), [cmd.Save()]),
        (("X", "c", "?", "q", "s", "e"), [cmd.Save(), cmd.Evaluate()]),
        (("X", "enter", "s"), [cmd.Stop(save=True), cmd.Save()]),
        (("X", "down", "enter"), [cmd.Stop(save=False)]),
        (("ctrl+p", "escape", "s"), [cmd.Save()]),
        (("ctrl+p", *"save", "enter", "e"), [cmd.Save(), cmd.Evaluate()]),
        (("ctrl+p", *"no such command", "enter", "escape", "s"), [cmd.Save()]),
    ],
    ids=str,
)
async def test_keys_in_one_read(
    keys: tuple[str, ...], sent: list[cmd.Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typed_ahead, "_PATIENCE", 3600.0)  # no answer is lost
    async with dashboard(Script(remote=True, obeys=False)) as rig:
        await rig.press(*keys)
        await rig.until(lambda: len(rig.script.sent) >= len(sent))
        assert rig.script.sent == sent


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "save"), [("enter", True), ("x", False), ("ctrl+c", True)])
async def test_an_answer_right_behind_the_question(answer: str, save: bool) -> None:
    async with dashboard(Script(obeys=False)) as rig:
        await rig.press("q", answer)
        await rig.until(lambda: rig.script.sent == [cmd.Stop(save=save)])


async def test_a_paste_is_text_and_no_keys() -> None:
    async with dashboard() as rig:
        rig.app.post_message(Paste("m0.75\rX"))
        await rig.press("m")
        rig.app.post_message(Paste("0.25\r9"))
        await rig.until(lambda: rig.app.screen.query(Input) and rig.app.screen.query_one(Input).value == "0.25")
        assert isinstance(rig.app.screen, NumberScreen)
        await rig.press("enter", "s")
        await rig.until(lambda: rig.script.sent == [cmd.SetMargin(0.25), cmd.Save()])


@pytest.mark.slow
def test_keys_in_one_read_of_a_real_terminal(tmp_path: Path) -> None:
    terminal = Pty(tmp_path, "--data", "pedestrians", "--batch-size", "4", "--epochs", "1000", "--eval-every", "1000")
    try:
        terminal.until("progress")
        terminal.press("m0.55\rr5e-4\r?\x1b")
        terminal.until("lr_changed")
        terminal.press("q\r")
        assert terminal.process.wait(60) == 0
        (margin,) = [line for line in terminal.events() if line["event"] == "margin_changed"]
        (lr,) = [line for line in terminal.events() if line["event"] == "lr_changed"]
        assert (margin["new"], lr["new"]) == (0.55, 5e-4)
        assert terminal.events()[-1]["saved"] is True
    finally:
        terminal.end()
