"""The key that leads back to a good checkpoint."""

from __future__ import annotations

import pytest

from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.tui.screens.go_back import GoBackScreen
from tests.tui.rig import dashboard


async def test_after_a_divergence_a_key_leads_back_to_a_good_checkpoint() -> None:
    async with dashboard(size=(80, 24)) as rig:
        for step, good in ((10, True), (20, True), (40, False)):
            rig.script.emit(ev.CheckpointSaved(step=step, path=f"c{step}", seconds=0.1, reason="epoch", good=good))
        rig.script.emit(ev.Diverged(step=40, reason="not finite", checkpoint="c20"))
        await rig.until(lambda: "DIVERGED" in rig.text and "b back" in rig.text.splitlines()[-1])
        assert "q quit" in rig.text.splitlines()[-1]
        await rig.press("b")
        await rig.until(lambda: "go back to step 20: the newest good checkpoint" in rig.text)
        await rig.press("escape")
        await rig.until(lambda: rig.app.screen is rig.main)
        assert rig.script.sent == []
        await rig.press("b")
        await rig.until(lambda: isinstance(rig.app.screen, GoBackScreen))
        await rig.press("enter")
        await rig.until(lambda: rig.script.sent == [cmd.GoBack(20)] and "PAUSED" in rig.text)
        assert rig.app.state.history.steps[-1] == 20
        assert "b back" not in rig.text.splitlines()[-1]
        assert rig.app.leaving.code == 0


@pytest.mark.slow
async def test_before_the_first_step_there_is_nothing_to_go_back_to() -> None:
    async with dashboard(notifications=True, started=False) as rig:
        rig.script.run_started()
        await rig.until(lambda: "TRAINING" in rig.text)
        await rig.press("b")
        await rig.until(lambda: "nothing to go back to yet" in rig.text)
        assert rig.script.sent == []
