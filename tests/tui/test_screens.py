"""The app at several sizes, while resizing, with broken panels, themes and dialogs."""

from __future__ import annotations

import numpy as np
import pytest
from rich.cells import cell_len
from textual.theme import BUILTIN_THEMES
from textual.widgets import Input, Static

from reid_tui.config import THEMES
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.tui.host import Host
from reid_tui.tui.screens.number import NumberScreen
from reid_tui.tui.terminal.look import Colors, Look
from reid_tui.tui.widgets.legend import Legend
from tests.tui.rig import Rig, dashboard
from tests.view.samples import evaluated, fitted

SIZES = [(60, 15), (80, 24), (120, 40), (200, 60)]


def assert_grid(rig: Rig, width: int, height: int) -> None:
    """The picture is exactly as large as the terminal, and no frame is broken."""
    rows = rig.text.split("\n")
    assert len(rows) == height
    assert {cell_len(row) for row in rows} == {width}
    area = rows[2:-1]
    assert all(row[0] in "╭│╰" and row[-1] in "╮│╯" for row in area)


@pytest.mark.parametrize("size", SIZES)
async def test_sizes(size: tuple[int, int]) -> None:
    async with dashboard(size=size) as rig:
        await rig.until(lambda: "0.812" in rig.text and "rank-1" in rig.text)
        assert_grid(rig, *size)
        for shown in ("fashion-mnist", "TRAINING", "epoch 1/5", "1 loss", "4 numbers", "q quit"):
            assert shown in rig.text
        assert ("2 map" in rig.text) is (size[0] > 60)
        if size[0] >= 120:
            await rig.until(lambda: "0 T-shirt/top" in rig.text and "0.62" in rig.text)
            for title in ("3 distances", "5 log"):
                assert title in rig.text


@pytest.mark.parametrize(("key", "shown"), [("2", "200 images"), ("3", "0.62"), ("5", "parameters on cpu")])
async def test_every_plot_can_be_reached_at_80x24(key: str, shown: str) -> None:
    async with dashboard(size=(80, 24)) as rig:
        await rig.press(key)
        await rig.until(lambda: shown in " ".join(rig.text.split()))
        assert_grid(rig, 80, 24)


@pytest.mark.parametrize("size", [(59, 24), (80, 14), (10, 3)])
async def test_too_small_says_so(size: tuple[int, int]) -> None:
    async with dashboard(size=(80, 24)) as rig:
        await rig.resize(*size)
        await rig.until(lambda: "needs" in rig.text)
        assert "loss" not in rig.text
        await rig.resize(80, 24)
        await rig.until(lambda: "1 loss" in rig.text and "0.812" in rig.text)


@pytest.mark.slow
async def test_resizing_never_loses_data() -> None:
    async with dashboard(size=(200, 60)) as rig:
        points = len(rig.app.state.history.steps)
        for width, height in [(60, 15), (199, 20), (20, 5), (120, 40), (61, 60), (200, 60), (80, 24), (120, 40)]:
            await rig.resize(width, height)
            rig.script.train(3)
        await rig.until(lambda: rig.app.state.step == 64 and "64/4,690" in rig.text)
        assert len(rig.app.state.history.steps) == points + 24
        await rig.until(lambda: "0 T-shirt/top" in rig.text and "0.812" in rig.text)
        assert_grid(rig, 120, 40)


async def test_before_the_run_the_screen_says_what_is_done() -> None:
    async with dashboard(started=False) as rig:
        assert "LOADING" in rig.text
        rig.script.emit(ev.PhaseChanged(step=0, phase="loading", detail="reading 60,000 images"))
        await rig.until(lambda: rig.text.count("reading 60,000 images") == 2)
        for done in range(0, 12_937, 49):
            text = "reading pictures"
            rig.script.emit(ev.PhaseChanged(step=0, phase="loading", detail=text, done=done, total=12_936))
        await rig.until(lambda: "12,936 of 12,936   100 %" in rig.text)
        await rig.until(lambda: rig.text.count("reading pictures") == 2)
        assert [line.text for line in rig.app.state.log] == ["reading 60,000 images", "reading pictures"]


async def test_nothing_from_data_is_markup_or_an_escape() -> None:
    names = ("[red]x[/]", "\x1b[31mevil\x9b", "[/]", "\u202eabc")
    facts = ev.DatasetFacts("[b]data[/b]", 1, 1, 4, names, "[link]", unseen=False)
    async with dashboard(started=False) as rig:
        rig.script.run_started(dataset=facts, run="runs/[i]run[/i]")
        rig.script.evaluate()
        rig.script.emit(ev.Warned(step=0, code="x", message="[bold]\x1b[2Jwarned[/bold]"))
        await rig.until(lambda: "[b]data[/b]" in rig.text and "[bold]" in rig.text and "[red]x[/]" in rig.text)
        await rig.press("]")
        await rig.until(lambda: "[red]x[/] ·" in rig.text)
        assert "\x1b" not in rig.text
        assert "\u202e" not in rig.text


@pytest.mark.slow
async def test_a_panel_that_cannot_be_drawn_says_so_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> list[str]:
        raise RuntimeError("no [b]chart[/b] today")

    async with dashboard() as rig:
        monkeypatch.setattr("reid_tui.tui.widgets.distances.distance_chart", broken)
        await rig.press("+")
        await rig.until(lambda: "RuntimeError: no [b]chart[/b] today" in rig.text)
        rig.script.train(3)
        await rig.until(lambda: "43/4,690" in rig.text)
        monkeypatch.undo()
        await rig.press("+")
        await rig.until(lambda: "RuntimeError" not in rig.text and "margin 1.10" in rig.text)


@pytest.mark.slow
@pytest.mark.parametrize("look", [Look("none", "ascii"), Look("16", "block"), Look("256", "braille")])
async def test_looks(look: Look) -> None:
    async with dashboard(look=look) as rig:
        await rig.until(lambda: "0.812" in rig.text and "0.62" in rig.text)
        assert_grid(rig, 120, 40)
        if look.glyphs == "ascii":
            plot = rig.panel("map").canvas.text + rig.panel("loss").canvas.text + rig.panel("distances").canvas.text
            assert plot.isascii()


async def test_numbers_and_distances_show_one_threshold_the_fitted_one() -> None:
    async with dashboard(size=(200, 60)) as rig:
        await rig.until(lambda: "threshold 0.62" in rig.panel("distances").canvas.text)
        numbers = [line.split() for line in rig.panel("numbers").canvas.text.splitlines()]
        assert ["threshold", "0.620"] in numbers
        assert ["FAR", "/", "FRR", "0.037", "/", "0.041"] in numbers
        rig.script.emit(evaluated(40, fitted=fitted(0.7)))
        await rig.until(lambda: "threshold 0.70" in rig.panel("distances").canvas.text)


async def test_plots_follow_the_theme() -> None:
    async with dashboard() as rig:
        await rig.until(lambda: rig.panel("loss").canvas._lines)
        dark = list(rig.panel("loss").canvas._lines)
        rig.app.theme = "reid-light"
        await rig.until(lambda: rig.panel("loss").canvas._lines != dark)
        assert not rig.app._style.dark


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "nord", "ansi-dark", "ansi-light", "dracula"])
async def test_other_themes_work(theme: str) -> None:
    async with dashboard() as rig:
        rig.app.theme = theme
        rig.script.train(1)
        await rig.until(lambda: "41/4,690" in rig.text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("theme", "colors", "first"),
    [
        ("dark", "truecolor", "reid-dark"),
        ("light", "truecolor", "reid-light"),
        ("light", "256", "reid-light"),
        ("light", "16", "ansi-light"),
        ("dark", "none", "ansi-dark"),
        ("nord", "truecolor", "nord"),
        ("no such theme", "truecolor", "reid-dark"),
    ],
)
async def test_the_first_theme(theme: str, colors: Colors, first: str) -> None:
    async with dashboard(look=Look(colors, "braille", theme)) as rig:
        assert rig.app.theme == first
        assert rig.app._style.dark is ("dark" in first or first == "nord")


class Remembers(Host):
    def __init__(self) -> None:
        self.chosen: list[str] = []

    def theme_chosen(self, name: str) -> None:
        self.chosen.append(name)


async def test_a_theme_chosen_in_the_palette_is_told_on() -> None:
    host = Remembers()
    async with dashboard(host=host) as rig:
        for words, name in (("reid-light", "light"), ("nord", "nord"), ("ansi-light", "ansi-light")):
            rig.app.action_change_theme()
            await rig.press(*words, "enter")
            await rig.until(lambda name=name: host.chosen[-1:] == [name])
            assert rig.app.theme == words
        await rig.press("ctrl+p", *"theme of the", "enter")
        await rig.until(lambda: host.chosen == ["light", "nord", "ansi-light", "auto"])


def test_every_theme_can_be_asked_for() -> None:
    assert set(THEMES) == {"auto", "dark", "light", *BUILTIN_THEMES}
    assert list(THEMES[3:]) == sorted(THEMES[3:])


async def test_legend_click_highlights_and_again_ends_it() -> None:
    async with dashboard() as rig:
        await rig.until(lambda: rig.panel("map").legend.size.height > 3)
        await rig.pilot.click(Legend, offset=(2, 2))
        await rig.until(lambda: rig.main.controls.highlight == 2)
        await rig.pilot.click(Legend, offset=(2, 2))
        await rig.until(lambda: rig.main.controls.highlight is None)


async def test_of_many_identities_those_on_the_map_are_listed_and_highlighted_in_turn() -> None:
    async with dashboard() as rig:
        await rig.until(lambda: "0 T-shirt/top" in rig.text)
        points, shown = np.zeros((4, 2), np.float32), np.array([7, 3, 7, 9])
        rig.script.emit(ev.EmbeddingsReady(step=5, split="test", path="", points=points, identities=shown))
        await rig.until(lambda: "4 images" in rig.text and "T-shirt/top" not in rig.text)
        for wanted in (3, 7, 9, None):
            await rig.press("]")
            await rig.until(lambda wanted=wanted: rig.main.controls.highlight == wanted)
        await rig.pilot.click(Legend, offset=(2, 1))
        await rig.until(lambda: rig.main.controls.highlight == 7)


@pytest.mark.slow
async def test_click_focuses_a_panel_and_the_footer_acts() -> None:
    async with dashboard() as rig:
        await rig.pilot.click("#distances", offset=(5, 5))
        await rig.until(lambda: rig.panel("distances").has_focus)
        await rig.pilot.click("#footer", offset=(3, 0))
        await rig.until(lambda: rig.script.sent == [cmd.Pause()])


@pytest.mark.slow
async def test_a_click_on_a_tab_shows_its_panel() -> None:
    async with dashboard(size=(80, 24)) as rig:
        for name in ("map", "log", "distances", "distances", "loss"):
            rows = rig.text.splitlines()
            y = next(y for y, row in enumerate(rows) if "1 loss  2 map" in row)
            await rig.pilot.click(offset=(rows[y].index(name), y))
            await rig.until(lambda name=name: rig.main.area.arrangement.boxes.keys() == {name, "numbers"})
            await rig.until(lambda: "1 loss  2 map" in rig.text)


async def test_margin_dialog_stays_open_and_says_why() -> None:
    async with dashboard() as rig:
        await rig.press("m")
        await rig.until(lambda: isinstance(rig.app.screen, NumberScreen) and rig.app.screen.query(Input))
        field = rig.app.screen.query_one(Input)
        assert field.value == "1.00"
        for wrong in ("abc", "", "-1", "nan", "1e9"):
            field.value = wrong
            await rig.press("enter")
            await rig.until(lambda wrong=wrong: repr(wrong) in str(rig.app.screen.query_one("#wrong", Static).content))
            assert isinstance(rig.app.screen, NumberScreen)
        assert rig.script.sent == []
        field.value = "1.5"
        await rig.press("enter")
        await rig.until(lambda: rig.script.sent == [cmd.SetMargin(1.5)] and "margin 1.50" in rig.text)


async def test_learning_rate_dialog() -> None:
    async with dashboard() as rig:
        await rig.press("r")
        await rig.until(lambda: isinstance(rig.app.screen, NumberScreen) and rig.app.screen.query(Input))
        rig.app.screen.query_one(Input).value = "0.0005"
        await rig.press("enter")
        await rig.until(lambda: rig.script.sent == [cmd.SetLearningRate(0.0005)])


async def test_a_dialog_is_left_without_a_command() -> None:
    async with dashboard() as rig:
        await rig.press("m")
        await rig.until(lambda: isinstance(rig.app.screen, NumberScreen) and rig.app.screen.query(Input))
        await rig.press("escape")
        await rig.until(lambda: rig.app.screen is rig.main)
        assert rig.script.sent == []


async def test_toasts_for_changes_refusals_and_saves() -> None:
    async with dashboard(notifications=True) as rig:
        await rig.press("+")
        await rig.until(lambda: "▌ margin 1.00 → 1.05" in rig.text)
        await rig.press("s")
        await rig.until(lambda: "▌ saved checkpoints/x" in rig.text)
        rig.script.emit(ev.CommandRefused(step=40, command="step", reason="[not] paused"))
        await rig.until(lambda: "▌ step refused: [not] paused" in rig.text)


async def test_log_scrolls_and_follows() -> None:
    async with dashboard(size=(200, 60)) as rig:
        for number in range(100):
            rig.script.emit(ev.Warned(step=40, code="x", message=f"message {number}."))
        await rig.until(lambda: "message 99." in rig.text)
        rig.panel("log").focus()
        await rig.until(lambda: rig.panel("log").has_focus)
        await rig.press("home")
        await rig.until(lambda: "message 0." in rig.text and "newer below" in rig.text)
        rig.script.emit(ev.Warned(step=40, code="x", message="message 100."))
        await rig.until(lambda: rig.app.state.log_count == 103 or rig.app.state.log[-1].text == "message 100.")
        assert "message 100." not in rig.panel("log").canvas.text
        await rig.press("end")
        await rig.until(lambda: "message 100." in rig.text and "newer below" not in rig.text)
