"""Every key of the table, pressed on the real app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.tui.keys import KEYS
from reid_tui.tui.screens.go_back import GoBackScreen
from reid_tui.tui.screens.help import HelpScreen
from reid_tui.tui.screens.number import NumberScreen
from reid_tui.tui.screens.quit import QuitScreen
from tests.tui.rig import Detachable, Rig, dashboard

Check = Callable[[Rig], Awaitable[None]]


def sends(*commands: cmd.Command) -> Check:
    async def check(rig: Rig) -> None:
        await rig.until(lambda: rig.script.sent == list(commands))

    return check


def opens(screen: type) -> Check:
    async def check(rig: Rig) -> None:
        await rig.until(lambda: isinstance(rig.app.screen, screen))

    return check


def hides(name: str) -> Check:
    async def check(rig: Rig) -> None:
        await rig.until(lambda: not rig.panel(name).display)

    return check


async def pauses(rig: Rig) -> None:
    await rig.until(lambda: "PAUSED" in rig.text)
    assert rig.script.sent == [cmd.Pause()]
    await rig.press("space")
    await rig.until(lambda: "TRAINING" in rig.text)
    assert rig.script.sent == [cmd.Pause(), cmd.Resume()]


async def steps(rig: Rig) -> None:
    await rig.until(lambda: rig.app.state.step == 41)
    assert rig.script.sent == [cmd.Step()]


async def shows_all(rig: Rig) -> None:
    await rig.press("1", "2")
    await rig.until(lambda: not rig.panel("map").display)
    await rig.press("0")
    await rig.until(lambda: rig.panel("map").display and rig.panel("loss").display)


async def focuses_first(rig: Rig) -> None:
    await rig.until(lambda: rig.panel("loss").has_focus)


async def focuses_last(rig: Rig) -> None:
    await focuses_first(rig)
    await rig.press("shift+tab")
    await rig.until(lambda: rig.panel("log").has_focus)


async def zooms(rig: Rig) -> None:
    await rig.until(lambda: [p.key for p in rig.main.area.panels if p.display] == ["loss"])
    await rig.press("escape")
    await rig.until(lambda: all(panel.display for panel in rig.main.area.panels))


async def goes_back_to_the_beginning(rig: Rig) -> None:
    await rig.until(lambda: isinstance(rig.app.screen, GoBackScreen) and "step 0: the beginning" in rig.text)
    await rig.press("y")
    await rig.until(lambda: rig.script.sent == [cmd.GoBack(0)] and "PAUSED" in rig.text)


async def goes_back(rig: Rig) -> None:
    await rig.press("]")
    await rig.until(lambda: rig.main.controls.highlight == 0)
    await rig.press("escape")
    await rig.until(lambda: rig.main.controls.highlight is None)


async def highlights_first(rig: Rig) -> None:
    await rig.until(lambda: "T-shirt/top · 200 images" in rig.text)


async def highlights_last(rig: Rig) -> None:
    await rig.until(lambda: "Ankle boot · 200 images" in rig.text)


async def changes_axis(rig: Rig) -> None:
    await rig.until(lambda: ", log" in rig.text)


async def smooths(rig: Rig) -> None:
    await rig.until(lambda: "smoothed 0.995" in rig.text)
    await rig.press("w")
    await rig.until(lambda: "not smoothed" in rig.text)


async def takes_picture(rig: Rig) -> None:
    picture = rig.app._host.picture_folder() / "screen-00000040.svg"
    await rig.until(picture.exists)
    assert "fashion-mnist" in picture.read_text()
    assert picture.stat().st_mode & 0o077 == 0


async def opens_palette(rig: Rig) -> None:
    await rig.until(lambda: type(rig.app.screen).__name__ == "CommandPalette")


async def detaches(rig: Rig) -> None:
    await rig.until(lambda: rig.app._exit)
    assert rig.app.detached
    assert rig.script.sent == []


CHECKS: dict[str, Check] = {
    "toggle_pause": pauses,
    "step": steps,
    "turn_margin(0.05)": sends(cmd.ShiftMargin(0.05)),
    "turn_margin(-0.05)": sends(cmd.ShiftMargin(-0.05)),
    "type_margin": opens(NumberScreen),
    "type_lr": opens(NumberScreen),
    "save": sends(cmd.Save()),
    "go_back": goes_back_to_the_beginning,
    "evaluate": sends(cmd.Evaluate()),
    **{f"screen.panel('{name}')": hides(name) for name in ("loss", "map", "distances", "numbers", "log")},
    "screen.reset_panels": shows_all,
    "focus_next": focuses_first,
    "focus_previous": focuses_last,
    "screen.zoom": zooms,
    "screen.back": goes_back,
    "screen.highlight(1)": highlights_first,
    "screen.highlight(-1)": highlights_last,
    "screen.log_axis": changes_axis,
    "screen.smoothing": smooths,
    "picture": takes_picture,
    "help": opens(HelpScreen),
    "command_palette": opens_palette,
    "detach": detaches,
    "stop": opens(QuitScreen),
    "quit": opens(QuitScreen),
}


class InFolder(Detachable):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def picture_folder(self) -> Path:
        return self._folder


@pytest.mark.parametrize(("name", "action"), [(name, key.action) for key in KEYS for name in key.keys])
async def test_key(name: str, action: str, tmp_path: Path) -> None:
    async with dashboard(host=InFolder(tmp_path)) as rig:
        await rig.press(name)
        await CHECKS[action](rig)


def test_commands_in_the_table_are_commands() -> None:
    known = {kind.__name__ for kind in cmd.Command.__args__}
    assert {name for key in KEYS for name in key.sends} <= known
    assert known == {name for key in KEYS for name in key.sends}


async def test_help_lists_every_key_without_scrolling_at_80x24() -> None:
    async with dashboard(size=(80, 24)) as rig:
        await rig.press("?")
        await rig.until(lambda: isinstance(rig.app.screen, HelpScreen) and "Application" in rig.text)
        text = " ".join(rig.text.replace("│", " ").split())
        for key in KEYS:
            for label in key.label.split(", "):
                assert label in text
            if len(key.description) <= 27:
                assert key.description in text
        assert rig.app.screen.query_one("#help").max_scroll_y == 0
        await rig.press("escape")
        await rig.until(lambda: rig.app.screen is rig.main)


async def test_palette_has_every_action() -> None:
    async with dashboard() as rig:
        titles = {command.title for command in rig.app.get_system_commands(rig.app.screen)}
        assert {key.title for key in KEYS if key.action != "command_palette"} < titles
        assert "Theme" in titles


async def test_palette_runs_an_action_of_the_screen() -> None:
    async with dashboard() as rig:
        command = next(item for item in rig.app.get_system_commands(rig.main) if item.title == "Zoom")
        command.callback()
        await zooms(rig)


async def test_badge_follows_events_not_keys() -> None:
    async with dashboard() as rig:
        rig.script._obeys = False
        await rig.press("space")
        await rig.until(lambda: rig.script.sent == [cmd.Pause()])
        rig.script.train(5)
        await rig.until(lambda: rig.app.state.step == 45)
        assert "TRAINING" in rig.text
        rig.script.emit(ev.Paused(step=45))
        await rig.until(lambda: "PAUSED" in rig.text)


async def test_after_the_end_nothing_is_sent() -> None:
    async with dashboard(notifications=True) as rig:
        rig.script.emit(ev.Finished(step=40, reason="epochs", steps=40, wall_s=1, loss=0.1))
        await rig.until(lambda: "DONE" in rig.text)
        await rig.press("space", "s")
        await rig.until(lambda: "the run has ended" in rig.text)
        assert rig.script.sent == []


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


async def test_before_the_first_step_there_is_nothing_to_go_back_to() -> None:
    async with dashboard(notifications=True, started=False) as rig:
        rig.script.run_started()
        await rig.press("b")
        await rig.until(lambda: "nothing to go back to yet" in rig.text)
        assert rig.script.sent == []
