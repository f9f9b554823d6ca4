"""The margin's dialog and the margin that the distances suggest, on a scripted run."""

from __future__ import annotations

import dataclasses

import pytest
from textual.widgets import Input, Static

from reid_tui.config import RunOptions, resolve
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.tui.terminal.look import Look
from tests.tui.rig import LOOK, Rig, Script, dashboard


def told(rig: Rig) -> str:
    """What the dialog says of the number, once it is there."""
    return "".join(str(effect.content) for effect in rig.app.screen.query("#what-if").results(Static))


async def opened(rig: Rig) -> Input:
    await rig.press("m")
    await rig.until(lambda: "on the pairs of step" in told(rig) and isinstance(rig.app.screen.focused, Input))
    return rig.app.screen.query_one(Input)


def line_at(rig: Rig) -> int:
    """Column of the name that stands by the margin's line in the histogram."""
    return next(row.index("margin") for row in rig.panel("distances").canvas.text.splitlines() if "margin" in row)


@pytest.mark.slow
@pytest.mark.parametrize("look", [LOOK, Look("16", "block"), Look("none", "ascii")], ids=str)
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_while_a_number_is_typed_the_line_follows_and_nothing_is_sent(size: tuple[int, int], look: Look) -> None:
    async with dashboard(size=size, look=look) as rig:
        await opened(rig)
        await rig.until(lambda: rig.panel("distances").display and "margin 1.00" in rig.panel("distances").canvas.text)
        before = line_at(rig)
        assert "margin            1.00    1.00" in told(rig)
        await rig.press(*"1.75")
        await rig.until(lambda: "margin            1.00    1.75" in told(rig))
        await rig.until(lambda: "margin 1.75" in rig.panel("distances").canvas.text)
        assert line_at(rig) > before
        assert "margin 1.75 if set" in str(rig.panel("distances").border_subtitle)
        await rig.press("x")
        await rig.until(lambda: "margin            1.00       \u2013" in told(rig))
        await rig.until(lambda: line_at(rig) == before)
        assert rig.script.sent == []


async def test_esc_leaves_everything_as_it_was() -> None:
    async with dashboard(size=(80, 24)) as rig:
        await rig.press("tab")
        await rig.until(lambda: rig.panel("loss").has_focus)
        wish = rig.main.area.wish
        await opened(rig)
        await rig.press("2")
        await rig.until(lambda: rig.panel("distances").display and rig.main.controls.margin == 2.0)
        await rig.press("escape")
        await rig.until(lambda: rig.app.screen is rig.main and rig.main.controls.margin is None)
        assert rig.main.area.wish == wish
        await rig.until(lambda: rig.panel("loss").display and rig.panel("loss").has_focus)
        assert rig.script.sent == []


async def test_enter_sends_it_once() -> None:
    async with dashboard() as rig:
        await opened(rig)
        await rig.press(*"1.5", "enter")
        await rig.until(lambda: rig.script.sent == [cmd.SetMargin(1.5)] and rig.app.state.margin == 1.5)
        await rig.until(lambda: "margin 1.50" in rig.panel("distances").canvas.text)
        assert rig.main.controls.margin is None


async def test_the_dialog_takes_the_suggestion_and_a_new_evaluation() -> None:
    async with dashboard() as rig:
        field = await opened(rig)
        assert "half at 2.00: M takes it" in told(rig)
        await rig.press("M")
        await rig.until(lambda: field.value == "2.00" and rig.main.controls.margin == 2.0)
        assert "different cost     0 %    50 %" in told(rig)
        assert rig.app.state.distances is not None
        rig.script.emit(dataclasses.replace(rig.app.state.distances, step=40, different=(0,) * 11 + (9,)))
        await rig.until(lambda: "on the pairs of step 40" in told(rig))
        assert "half at 2.88: M takes it" in told(rig)
        await rig.press("enter")
        await rig.until(lambda: rig.script.sent == [cmd.SetMargin(2.0)])


async def test_the_key_takes_what_the_histogram_marks() -> None:
    async with dashboard() as rig:
        await rig.until(lambda: "half 2.00" in rig.panel("distances").canvas.text)
        await rig.press("M")
        await rig.until(lambda: rig.script.sent == [cmd.SetMargin(2.0)] and rig.app.state.margin == 2.0)
        await rig.until(lambda: "half 2.00" not in rig.panel("distances").canvas.text)


@pytest.mark.parametrize(
    ("options", "evaluated", "words"),
    [
        ({}, False, "no margin to suggest: distances of pairs come with the first evaluation"),
        ({"loss": "triplet"}, True, "no margin to suggest: triplet counts its margin from the same image on"),
        ({"loss": "ntxent"}, True, "no margin to turn: ntxent has a temperature, no margin in distance"),
    ],
)
async def test_without_a_suggestion_the_key_says_why(options: dict[str, str], evaluated: bool, words: str) -> None:
    said: list[str] = []
    script = Script()
    async with dashboard(script, started=False) as rig:
        rig.app.notify = lambda text, **_: said.append(text)
        script.run_started(config=resolve(RunOptions(**options), "fashion-mnist", 10))
        if evaluated:
            script.evaluate()
        script.train(1)
        await rig.until(lambda: rig.app.state.step == 1)
        await rig.press("M")
        await rig.until(lambda: said)
        assert said[0].startswith(words)
        assert "half" not in rig.panel("distances").canvas.text
    assert script.sent == []


@pytest.mark.slow
async def test_before_the_first_evaluation_the_dialog_says_so() -> None:
    async with dashboard(started=False) as rig:
        rig.script.run_started()
        rig.script.emit(ev.PhaseChanged(step=0, phase="training"))
        await rig.until(lambda: rig.app.state.started)
        await rig.press("m")
        await rig.until(lambda: "first evaluation" in told(rig) and isinstance(rig.app.screen.focused, Input))
        await rig.press("M", *"1.2", "enter")
        await rig.until(lambda: rig.script.sent == [cmd.SetMargin(1.2)])
