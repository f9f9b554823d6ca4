"""What stands in the scrollback after the screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid_tui.training import events as ev
from reid_tui.tui.leaving.exit import Leaving
from reid_tui.tui.leaving.scrollback import tell
from reid_tui.view.fold import fold
from reid_tui.view.run_state import RunState
from tests.tui.rig import Script


def diverged() -> tuple[RunState, Leaving]:
    script = Script(remote=True)
    script.run_started()
    script.emit(ev.Diverged(step=4, reason="not finite", checkpoint=""))
    events = script.drain().live
    leaving = Leaving(exit_when_done=False, remote=True)
    leaving.note(events)
    return fold(RunState(), events), leaving


@pytest.mark.parametrize("trained", [True, False])
def test_a_diverged_run_goes_on_only_where_a_process_holds_it(
    trained: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    state, leaving = diverged()
    tell(state, leaving, Path("runs/x"), failure=None, elsewhere=trained)
    shown = capsys.readouterr()
    assert ("it goes on" in shown.err) is trained
    assert ("diverged" in shown.out) is not trained
