"""Every key of the table, pressed on the real app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.events import Paste

from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.tui.keys import KEYS
from reid_tui.tui.layout import EXTRAS, PANELS
from reid_tui.tui.screens.go_back import GoBackScreen
from reid_tui.tui.screens.help import HelpScreen
from reid_tui.tui.screens.margin import MarginScreen
from reid_tui.tui.screens.number import NumberScreen
from reid_tui.tui.screens.query import QueryScreen
from reid_tui.tui.screens.quit import QuitScreen
from tests.tui.rig import Detachable, Rig, dashboard
from tests.view.samples import whole_snapshot

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


def shows(name: str) -> Check:
    async def check(rig: Rig) -> None:
        await rig.until(lambda: rig.panel(name).display and rig.panel(name).has_focus)

    return check


async def resets(rig: Rig) -> None:
    await rig.press("1", "2", "6")
    await rig.until(lambda: not rig.panel("map").display and rig.panel("pairs").display)
    await rig.press("0")
    await rig.until(lambda: [panel.key for panel in rig.main.area.panels if panel.display] == list(PANELS[:5]))


async def focuses_first(rig: Rig) -> None:
    await rig.until(lambda: rig.panel("loss").has_focus)


async def focuses_last(rig: Rig) -> None:
    await focuses_first(rig)
    await rig.press("shift+tab")
    await rig.until(lambda: rig.panel("log").has_focus)


async def zooms(rig: Rig) -> None:
    await rig.until(lambda: [p.key for p in rig.main.area.panels if p.display] == ["loss"])
    await rig.press("escape")
    await rig.until(lambda: all(panel.display for panel in rig.main.area.panels[:5]))


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


async def draws_trails(rig: Rig) -> None:
    await rig.until(lambda: "trails since step 0" in rig.text)
    await rig.press("t")
    await rig.until(lambda: "trails" not in rig.text)


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
    await rig.until(
        lambda: type(rig.app.screen).__name__ == "CommandPalette" and "detach: training goes on" in rig.text
    )


async def detaches(rig: Rig) -> None:
    await rig.until(lambda: rig.app._exit)
    assert rig.app.detached
    assert rig.script.sent == []


CHECKS: dict[str, Check] = {
    "toggle_pause": pauses,
    "step": steps,
    "turn_margin(0.05)": sends(cmd.ShiftMargin(0.05)),
    "turn_margin(-0.05)": sends(cmd.ShiftMargin(-0.05)),
    "type_margin": opens(MarginScreen),
    "half_margin": sends(cmd.SetMargin(2.0)),
    "type_lr": opens(NumberScreen),
    "save": sends(cmd.Save()),
    "go_back": goes_back_to_the_beginning,
    "evaluate": sends(cmd.Evaluate()),
    **{f"screen.panel('{name}')": hides(name) for name in ("loss", "map", "distances", "numbers", "log")},
    **{f"screen.panel('{name}')": shows(name) for name in EXTRAS},
    "ask_query": opens(QueryScreen),
    "screen.reset_panels": resets,
    "focus_next": focuses_first,
    "focus_previous": focuses_last,
    "screen.zoom": zooms,
    "screen.back": goes_back,
    "screen.highlight(1)": highlights_first,
    "screen.highlight(-1)": highlights_last,
    "screen.trails": draws_trails,
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


@pytest.mark.slow
@pytest.mark.parametrize(("name", "action"), [(name, key.action) for key in KEYS for name in key.keys])
async def test_key(name: str, action: str, tmp_path: Path) -> None:
    async with dashboard(host=InFolder(tmp_path)) as rig:
        await rig.press(name)
        await CHECKS[action](rig)


async def test_a_picture_has_no_place_where_the_current_folder_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    async with dashboard(notifications=True) as rig:
        gone.rmdir()
        await rig.press("S")
        await rig.until(lambda: "cannot save the picture: No such file or directory" in " ".join(rig.text.split()))


BELOW: dict[str, Callable[[int, int], int]] = {
    "screen.log_lines(-1)": lambda page, most: 1,
    "screen.log_pages(-1)": lambda page, most: page,
    "screen.log_pages(-1000)": lambda page, most: most,
    "screen.log_lines(1)": lambda page, most: most - 1,
    "screen.log_pages(1)": lambda page, most: most - page,
    "screen.log_pages(1000)": lambda page, most: 0,
}
"""How many newer lines stand below the log's window, by its height less one and by how many stand below the start."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "action"), [(name, key.action) for key in KEYS for name in key.keys_in("log")])
async def test_key_of_the_log(name: str, action: str) -> None:
    async with dashboard(size=(200, 60)) as rig:
        log = rig.panel("log")

        def below() -> int:
            return int(str(log.border_subtitle or "0").split(" ")[0])

        rig.script.emit(*(ev.Warned(step=40, code="x", message=f"message {number}.") for number in range(100)))
        await rig.until(lambda: "message 99." in log.canvas.text)
        log.focus()
        page = log.canvas.size.height - 1
        await rig.press("home")
        await rig.until(below)
        most = below()
        await rig.press(*([name] if "-" not in action else ["end", name]))
        await rig.until(lambda: below() == BELOW[action](page, most))


ARROWS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "action"), [(name, key.action) for key in KEYS for name in key.keys_in("map")])
async def test_key_of_the_map(name: str, action: str) -> None:
    async with dashboard() as rig:
        panel = rig.panel("map")
        await rig.press(name, "w")
        await smooths(rig)
        assert panel.cursor is None
        panel.focus()
        await rig.press(name)
        await rig.until(lambda: panel.cursor)
        x, y = panel.cursor
        await rig.press(name)
        columns, rows = ARROWS[name]
        await rig.until(lambda: panel.cursor == (x + columns, y + rows))
        await rig.press("escape")
        await rig.until(lambda: panel.cursor is None)
        assert panel.has_focus


TURNS = {"classes": "pair {} of 10", "retrieval": "query {} of 200"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("panel", "name", "shown"),
    [("classes", "left", 0), ("classes", "down", 2), ("retrieval", "up", 0), ("retrieval", "right", 2)],
)
async def test_arrows_of_a_panel_that_shows_one_thing_after_the_other(panel: str, name: str, shown: int) -> None:
    async with dashboard() as rig:
        rig.script.emit(whole_snapshot(40))
        await rig.press(str(PANELS.index(panel) + 1))
        await rig.until(lambda: TURNS[panel].format(1) in rig.text and rig.panel(panel).has_focus)
        await rig.press(name)
        last = int(TURNS[panel].split()[-1])
        await rig.until(
            lambda: (
                TURNS[panel].format(shown or last) in " ".join(rig.panel(panel).canvas.text.split())
                or TURNS[panel].format(shown or last) in rig.text
            )
        )


def test_every_panel_with_keys_has_them_pressed() -> None:
    assert {key.panel for key in KEYS} == {"", "log", "map", "pairs", *TURNS}
    assert {key.action for key in KEYS if key.panel == "log"} == set(BELOW)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_zoomed_panel_has_the_focus(size: tuple[int, int]) -> None:
    async with dashboard(size=size) as rig:
        rig.script.emit(*(ev.Warned(step=40, code="x", message=f"message {number}.") for number in range(100)))
        await rig.until(lambda: rig.app.state.log_count > 100)
        await rig.press("z", "5", "home")
        await rig.until(lambda: "started 20261112" in rig.text and "message 99." not in rig.text)
        await rig.until(lambda: len(rig.panel("log").canvas.text.splitlines()) == size[1] - 5)
        await rig.press("2", "right")
        await rig.until(lambda: rig.panel("map").cursor)
        await rig.press("z")
        await rig.until(lambda: "4 numbers" in rig.text and rig.panel("map").has_focus)


@pytest.mark.slow
async def test_a_panel_that_comes_to_the_front_has_the_focus() -> None:
    async with dashboard(size=(80, 24)) as rig:
        rig.script.emit(*(ev.Warned(step=40, code="x", message=f"message {number}.") for number in range(100)))
        await rig.until(lambda: rig.app.state.log_count > 100)
        await rig.press("5", "home")
        await rig.until(lambda: "started 20261112" in rig.text and "message 99." not in rig.text)
        await rig.press("4")
        await rig.until(lambda: not rig.panel("numbers").display and rig.panel("log").has_focus)


def test_commands_in_the_table_are_commands() -> None:
    known = {kind.__name__ for kind in cmd.Command.__args__}
    assert {name for key in KEYS for name in key.sends} <= known
    assert known == {name for key in KEYS for name in key.sends}


async def test_help_lists_every_key_without_scrolling_at_80x50() -> None:
    async with dashboard(size=(80, 50)) as rig:
        await rig.press("?")
        await rig.until(lambda: isinstance(rig.app.screen, HelpScreen) and "Application" in rig.text)
        text = " ".join(rig.text.replace("│", " ").split())
        for key in KEYS:
            label, description = key.together or (key.label, key.description)
            assert all(part in text for part in label.split(", "))
            if len(description) <= 27:
                assert description in text
        assert rig.app.screen.query_one("#help").max_scroll_y == 0
        await rig.press("escape")
        await rig.until(lambda: rig.app.screen is rig.main)


async def test_help_scrolls_to_its_end_at_80x24() -> None:
    async with dashboard(size=(80, 24)) as rig:
        await rig.press("?")
        await rig.until(lambda: isinstance(rig.app.screen, HelpScreen) and "Training" in rig.text)
        await rig.press("end")
        await rig.until(lambda: KEYS[-1].label.split(", ")[-1] in rig.text and "Training" not in rig.text)


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


async def test_palette_scrolls_the_log() -> None:
    async with dashboard(size=(200, 60)) as rig:
        rig.script.emit(*(ev.Warned(step=40, code="x", message=f"message {number}.") for number in range(100)))
        await rig.until(lambda: "message 99." in rig.panel("log").canvas.text)
        await rig.press("ctrl+p", *"log: start", "enter")
        await rig.until(lambda: "newer below" in rig.text)


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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ж", "Q", "k", "alt+b", "left_shift", "f5", "left"])
async def test_a_key_that_does_nothing_says_once_where_the_help_is(name: str) -> None:
    printable = len(name) == 1
    async with dashboard(notifications=True) as rig:
        said: list[str] = []
        rig.app.notify = lambda text, **_: said.append(text)
        rig.app.post_message(Paste("жжж"))
        await rig.press("?", name, "escape", "m", name, "escape", "w")
        await rig.until(lambda: rig.main.controls.smoothing == 0.995)
        assert said == []
        await rig.press(name, name, "w")
        await rig.until(lambda: rig.main.controls.smoothing == 0.0)
        assert said == ["that key does nothing; ? shows the keys"] * printable
