"""Keys that steer nothing: each says why, at once, and sends nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from textual.widgets import Static

from reid_tui.config import RunOptions, resolve
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.tui.keys import KEYS
from reid_tui.tui.screens.number import NumberScreen
from tests.tui.rig import Rig, Script, dashboard


async def ended(rig: Rig) -> str:
    rig.script.emit(ev.Finished(step=40, reason="epochs", steps=40, wall_s=1, loss=0.1))
    await rig.until(lambda: "DONE" in rig.text)
    return "the run has ended"


async def nobody_listens(rig: Rig) -> str:
    rig.script.deaf = "only watching"
    return "only watching"


async def not_begun(rig: Rig) -> str:
    assert "LOADING" in rig.text
    return "the run has not begun yet"


@pytest.mark.slow
@pytest.mark.parametrize("bring", [ended, nobody_listens, not_begun])
async def test_where_nobody_can_be_steered_each_key_says_so_at_once_and_once(
    bring: Callable[[Rig], Awaitable[str]],
) -> None:
    said: list[str] = []
    now = [1000.0]
    script = Script(remote=True)
    async with dashboard(script, started=bring is not not_begun, clock=lambda: now[0]) as rig:
        words = await bring(rig)
        rig.app.notify = lambda text, **_: said.append(text)
        palette = {command.title: command.callback for command in rig.app.get_system_commands(rig.main)}
        for key in KEYS:
            if key.sends and key.action not in ("quit", "ask_query"):  # a query needs no trainer as a rule
                said.clear()
                now[0] += 10
                palette[key.title]()
                await rig.press(*key.keys, *key.keys, "w")
                before = rig.main.controls.smoothing
                await rig.until(lambda before=before: rig.main.controls.smoothing != before)
                assert [text[: len(words)] for text in said] == [words], key.title
                assert rig.app.screen is rig.main
        assert script.sent == []


@pytest.mark.slow
async def test_keys_of_a_margin_that_does_nothing_say_why_and_it_is_nowhere_shown() -> None:
    said: list[str] = []
    script = Script()
    async with dashboard(script, started=False, size=(160, 50)) as rig:
        rig.app.notify = lambda text, **_: said.append(text)
        script.run_started(config=resolve(RunOptions(loss="ntxent"), "fashion-mnist", 10))
        script.evaluate()
        script.train(40)
        await rig.until(lambda: rig.app.state.step == 40 and "threshold" in rig.panel("distances").canvas.text)
        await rig.press("+", "=", "-", "m", "M", "w")
        await rig.until(lambda: rig.main.controls.smoothing == 0.995)
        assert set(said) == {"no margin to turn: ntxent has a temperature, no margin in distance"}
        assert rig.app.screen is rig.main
        assert "margin" not in rig.text
        await rig.press("r")
        await rig.until(lambda: isinstance(rig.app.screen, NumberScreen))
    assert script.sent == []


async def test_the_dialog_knows_where_the_margin_of_embeddings_of_length_1_ends() -> None:
    script = Script()
    async with dashboard(script, started=False) as rig:
        script.run_started(config=resolve(RunOptions(normalize=True), "fashion-mnist", 10))
        script.train(1)
        await rig.until(lambda: rig.app.state.step == 1)
        await rig.press("m")
        await rig.until(lambda: "a number above 0 up to 2" in rig.text)
        await rig.press(*"2.5", "enter")
        wrong = rig.app.screen.query_one("#wrong", Static)
        await rig.until(lambda: "margin must be a number above 0 up to 2," in str(wrong.content))
        assert script.sent == []
        await rig.press("backspace", "backspace", "enter")
        await rig.until(lambda: script.sent == [cmd.SetMargin(2.0)])


async def test_what_is_said_is_said_again_when_it_is_gone() -> None:
    now = [0.0]
    async with dashboard(clock=lambda: now[0]) as rig:
        said: list[str] = []
        rig.app.notify = lambda text, **_: said.append(text)
        await ended(rig)
        said.clear()
        for at in (1000.0, 1003.0, 1005.0):
            now[0] = at
            await rig.press("m", "w")
            before = rig.main.controls.smoothing
            await rig.until(lambda before=before: rig.main.controls.smoothing != before)
        assert said == ["the run has ended"] * 2
