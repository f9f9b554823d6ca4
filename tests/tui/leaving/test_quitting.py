"""Every way out, and what it sends and returns."""

from __future__ import annotations

import dataclasses

import pytest

from reid_tui.signals import ONE_SIGNAL_S, Haste
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.tui.screens.quit import QuitScreen
from tests.tui.rig import Detachable, Rig, Script, dashboard

STOP = cmd.Stop(save=True, reason="asked")
DROP = cmd.Stop(save=False, reason="asked")
FINISHED = ev.Finished(step=40, reason="epochs", steps=40, wall_s=1, loss=0.1)


async def ask(rig: Rig) -> None:
    await rig.press("q")
    await rig.until(lambda: isinstance(rig.app.screen, QuitScreen) and "save and quit" in rig.text)


async def ended(rig: Rig) -> None:
    await rig.until(lambda: not rig.app.is_running or rig.app._exit)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "command"),
    [
        (["enter"], STOP),
        (["s"], STOP),
        (["ctrl+c"], STOP),
        (["ctrl+q"], STOP),
        (["x"], DROP),
        (["down", "enter"], DROP),
    ],
)
async def test_dialog_leaves(keys: list[str], command: cmd.Command) -> None:
    async with dashboard() as rig:
        await ask(rig)
        await rig.press(*keys)
        await ended(rig)
        assert rig.script.sent == [command]
        assert rig.app.leaving.code == 0


@pytest.mark.slow
@pytest.mark.parametrize("keys", [["escape"], ["c"], ["down", "down", "enter"]])
async def test_dialog_stays(keys: list[str]) -> None:
    async with dashboard() as rig:
        await ask(rig)
        await rig.press(*keys)
        await rig.until(lambda: rig.app.screen is rig.main)
        rig.script.train(1)
        await rig.until(lambda: "41/4,690" in rig.text)
        assert rig.script.sent == []


async def test_it_waits_for_the_end_and_shows_saving() -> None:
    async with dashboard(Script(obeys=False)) as rig:
        await ask(rig)
        await rig.press("enter")
        await rig.until(lambda: rig.script.sent == [STOP])
        rig.script.emit(ev.PhaseChanged(step=40, phase="saving"))
        await rig.until(lambda: "SAVING" in rig.text)
        assert not rig.app._exit
        rig.script.emit(ev.Stopped(step=40, reason="asked", saved=True))
        await ended(rig)


@pytest.mark.slow
async def test_a_save_that_hangs_can_be_left() -> None:
    async with dashboard(Script(obeys=False)) as rig:
        await ask(rig)
        await rig.press("enter")
        await rig.until(lambda: rig.app.screen is rig.main)
        await rig.press("q")
        await rig.until(lambda: rig.app.quitting.warned)
        await rig.press("q")
        await ended(rig)


async def test_while_loading_nothing_can_be_lost() -> None:
    async with dashboard(Script(obeys=False), started=False) as rig:
        await rig.press("q")
        await ended(rig)
        assert rig.script.sent == [DROP]


async def test_after_the_run_it_leaves_at_once() -> None:
    async with dashboard() as rig:
        rig.script.emit(FINISHED)
        await rig.until(lambda: "DONE" in rig.text)
        assert not rig.app._exit
        await rig.press("q")
        await ended(rig)


async def test_a_run_that_ends_under_the_dialog() -> None:
    async with dashboard() as rig:
        await ask(rig)
        rig.script.emit(FINISHED)
        await rig.until(lambda: rig.app.leaving.ended is not None)
        assert not rig.app._exit
        await rig.press("enter")
        await ended(rig)
        assert rig.app.leaving.code == 0


async def test_exit_when_done() -> None:
    async with dashboard(exit_when_done=True) as rig:
        rig.script.emit(FINISHED)
        await ended(rig)


@pytest.mark.parametrize("code", [1, 2])
async def test_a_failure_before_the_run_closes_the_screen(code: int) -> None:
    async with dashboard(started=False) as rig:
        rig.script.emit(ev.Failed(step=0, message="no such data", exit_code=code))
        await ended(rig)
        assert rig.app.leaving.code == code


async def test_a_failure_in_the_run_stays_to_be_read() -> None:
    async with dashboard() as rig:
        rig.script.emit(ev.Failed(step=40, message="disk on fire"))
        await rig.until(lambda: "FAILED" in rig.text and "disk on fire" in rig.text)
        assert not rig.app._exit
        await rig.press("ctrl+c")
        await ended(rig)
        assert rig.app.leaving.code == 1


async def test_diverged_and_left_is_3() -> None:
    async with dashboard() as rig:
        rig.script.emit(ev.Diverged(step=40, reason="three steps not finite", checkpoint="checkpoints/x"))
        await rig.until(lambda: "DIVERGED" in rig.text)
        await ask(rig)
        await rig.press("x")
        await ended(rig)
        assert rig.app.leaving.code == 3


@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130), ("SIGXCPU", 152)])
async def test_signals_save_and_leave(name: str, code: int) -> None:
    async with dashboard() as rig:
        rig.app.quitting.signalled(name)
        await ended(rig)
        assert rig.script.sent == [cmd.Stop(save=True, reason=name)]
        assert rig.app.leaving.code == code


async def test_a_second_signal_does_not_wait() -> None:
    now = [100.0]
    async with dashboard(Script(obeys=False)) as rig:
        rig.app.quitting._haste = Haste(lambda: now[0])
        rig.app.quitting.signalled("SIGINT")
        assert not rig.app._exit
        now[0] += ONE_SIGNAL_S
        rig.app.quitting.signalled("SIGINT")
        await ended(rig)


async def test_the_signal_of_the_cpu_limit_comes_every_second() -> None:
    async with dashboard(Script(obeys=False)) as rig:
        for _ in range(3):
            rig.app.quitting.signalled("SIGXCPU")
        rig.app.quitting.signalled("SIGTERM")
        assert not rig.app._exit
        assert rig.script.sent[0] == cmd.Stop(save=True, reason="SIGXCPU")
        assert rig.app.leaving.code == 152
        rig.app.quitting.signalled("SIGINT")
        await ended(rig)


async def test_what_happened_before_this_screen_ends_nothing() -> None:
    """A resumed run replays its events, its former end among them."""
    async with dashboard(exit_when_done=True, notifications=True) as rig:
        rig.script.past.append(ev.Stopped(step=9, seq=900, time=1.0, reason="asked", saved=True))
        rig.script.past.append(ev.Warned(step=9, seq=901, time=1.0, code="x", message="long ago"))
        await rig.until(lambda: "long ago" in rig.text)
        rig.script.run_started(step=40)
        await rig.until(lambda: "TRAINING" in rig.text)
        assert "▌ long ago" not in rig.text
        assert not rig.app._exit


async def test_a_clock_that_was_set_back_hides_no_end() -> None:
    async with dashboard(exit_when_done=True) as rig:
        rig.script._waiting.append(dataclasses.replace(FINISHED, seq=900, time=1.0))
        await ended(rig)


@pytest.mark.parametrize("keys", [["d"], ["q", "d"], ["q", "down", "enter"]])
async def test_detaching_stops_nothing(keys: list[str]) -> None:
    async with dashboard(host=Detachable()) as rig:
        if len(keys) > 1:
            await ask(rig)
            assert "detach" in rig.text
        await rig.press(*keys[-max(len(keys) - 1, 1) :])
        await ended(rig)
        assert rig.app.detached
        assert rig.script.sent == []


async def test_what_cannot_be_detached_stays() -> None:
    async with dashboard(notifications=True) as rig:
        await rig.press("d")
        await rig.until(lambda: "no shell to give back" in rig.text)
        assert not rig.app._exit
    async with dashboard(started=False, host=Detachable(), notifications=True) as rig:
        await rig.press("d")
        await rig.until(lambda: "has not begun yet" in rig.text)
        assert not rig.app._exit


@pytest.mark.slow
@pytest.mark.parametrize("key", ["q", "ctrl+c", "d"])
async def test_leaving_a_run_that_lives_elsewhere_leaves_it_alone(key: str) -> None:
    async with dashboard(Script(remote=True)) as rig:
        await rig.press(key)
        await ended(rig)
        assert rig.script.sent == []
        assert not rig.app.detached
        assert rig.app.leaving.code == 0


@pytest.mark.parametrize(("key", "command"), [("s", cmd.Stop(save=True)), ("x", cmd.Stop(save=False))])
async def test_stopping_a_run_that_lives_elsewhere_asks_and_keeps_the_screen(key: str, command: cmd.Command) -> None:
    async with dashboard(Script(remote=True)) as rig:
        await rig.press("X")
        await rig.until(lambda: "save and stop the run" in rig.text)
        await rig.press(key)
        await rig.until(lambda: "STOPPED" in rig.text)
        assert rig.script.sent == [command]
        assert not rig.app._exit


async def test_a_run_that_lives_elsewhere_may_end_and_begin_again() -> None:
    async with dashboard(Script(remote=True), notifications=True) as rig:
        rig.script.emit(ev.Lost(step=40, message="killed at step 40; go on with: reid-tui --resume x"))
        await rig.until(lambda: "CRASHED" in rig.text and "--resume x" in rig.text)
        await rig.press("s")
        await rig.until(lambda: "the run has ended" in rig.text)
        assert rig.script.sent == []
        rig.script.run_started(step=40)
        await rig.until(lambda: "TRAINING" in rig.text)
        await rig.press("s")
        await rig.until(lambda: rig.script.sent == [cmd.Save()])


async def test_one_signal_that_comes_twice_is_one() -> None:
    now = [100.0]
    async with dashboard(Script(obeys=False)) as rig:
        rig.app.quitting._haste = Haste(lambda: now[0])
        rig.app.quitting.signalled("SIGTERM")
        now[0] += 0.4
        rig.app.quitting.signalled("SIGTERM")
        assert not rig.app._exit
        now[0] += 0.2
        rig.app.quitting.signalled("SIGTERM")
        await ended(rig)
