"""An exception in drawing, anywhere on the screen: its part shows it, the log has it once, all else goes on."""

from __future__ import annotations

import logging
from typing import Any, NoReturn

import pytest

from reid_tui.tui.layout import PANELS
from reid_tui.tui.widgets.canvas import Canvas
from tests.tui.rig import Rig, dashboard

WORDS = "RuntimeError: no [b]ink[/b] left"


def broken(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError("no [b]ink[/b] left")


def tracebacks(caplog: pytest.LogCaptureFixture) -> int:
    return sum(record.exc_info is not None and record.name.startswith("reid_tui") for record in caplog.records)


async def goes_on(rig: Rig, *, header: bool = True) -> None:
    """New steps are folded and shown, and keys still reach the trainer."""
    step, margin = rig.script.step + 3, rig.script.margin
    rig.script.train(3)
    await rig.until(lambda: rig.app.state.step == step and (not header or f"{step}/4,690" in rig.text))
    await rig.press("+")
    await rig.until(lambda: rig.app.state.margin == rig.script.margin > margin)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "method"),
    [*((name, "draw") for name in PANELS), ("loss", "value"), ("map", "urgent"), ("numbers", "routine")],
)
async def test_a_panel(
    name: str, method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with dashboard(size=(200, 60)) as rig:
        await rig.press("6", "7", "8")
        await rig.until(lambda: all(panel.canvas.text.strip() for panel in rig.main.area.panels))
        with monkeypatch.context() as patch:
            patch.setattr(rig.panel(name), method, broken)
            rig.app.theme = "reid-light"
            await rig.until(lambda: "cannot be drawn" in rig.panel(name).canvas.text)
            assert WORDS in " ".join(rig.panel(name).canvas.text.split("\n"))
            others = [panel for panel in rig.main.area.panels if panel.key != name]
            assert all("cannot" not in panel.canvas.text for panel in others)
            await goes_on(rig)
            assert tracebacks(caplog) == 1
        rig.app.theme = "reid-dark"
        await rig.until(lambda: rig.panel(name).canvas.text.strip() and "cannot" not in rig.panel(name).canvas.text)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["identity_line", "progress_line"])
async def test_the_header(part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async with dashboard() as rig:
        with monkeypatch.context() as patch:
            patch.setattr(f"reid_tui.tui.widgets.header.{part}", broken)
            rig.script.train(1)
            await rig.until(lambda: WORDS in rig.main.header.text)
            await goes_on(rig, header=False)
            assert tracebacks(caplog) == 1
        rig.script.train(1)
        await rig.until(lambda: f"step {rig.script.step}/4,690" in rig.text and "TRAINING" in rig.text)


async def test_the_footer(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async with dashboard() as rig:
        with monkeypatch.context() as patch:
            patch.setattr("reid_tui.tui.widgets.footer.hints", broken)
            await rig.until(lambda: WORDS in rig.main.footer.text)
            await rig.pilot.click("#footer", offset=(3, 0))
            await goes_on(rig)
            assert tracebacks(caplog) == 1
        await rig.until(lambda: "q quit" in rig.main.footer.text)


@pytest.mark.slow
async def test_the_title(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async with dashboard() as rig:
        monkeypatch.setattr("reid_tui.tui.terminal.title.terminal_title", broken)
        await rig.until(lambda: tracebacks(caplog) == 1)
        await goes_on(rig)


async def test_the_log_while_it_is_scrolled(monkeypatch: pytest.MonkeyPatch) -> None:
    async with dashboard(size=(200, 60)) as rig:
        await rig.until(lambda: "parameters on cpu" in rig.panel("log").canvas.text)
        rig.panel("log").focus()
        await rig.until(lambda: rig.panel("log").has_focus)
        with monkeypatch.context() as patch:
            patch.setattr("reid_tui.tui.widgets.log.rows", broken)
            await rig.press("home")
            await rig.until(lambda: WORDS in rig.panel("log").canvas.text)
            await goes_on(rig)
        await rig.press("end")
        await rig.until(lambda: "parameters on cpu" in rig.panel("log").canvas.text)


async def test_a_row_that_textual_cannot_paint(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    strip = Canvas._strip

    def picky(canvas: Canvas, line: Any, *rest: Any) -> Any:
        return broken() if "margin" in getattr(line, "plain", "") else strip(canvas, line, *rest)

    async with dashboard() as rig:
        monkeypatch.setattr(Canvas, "_strip", picky)
        await rig.press("+")
        await rig.until(lambda: WORDS[:20] in rig.text)
        await goes_on(rig)
        assert caplog.records
        assert all(record.levelno == logging.ERROR for record in caplog.records if record.exc_info)
