"""Panel 2 on the real app: its cursor, what it tells, and its trails."""

from __future__ import annotations

import pytest
from textual.events import MouseDown, MouseMove

from reid_tui.training import events as ev
from reid_tui.tui.terminal.look import Look
from tests.tui.rig import Rig, dashboard


async def with_cursor(rig: Rig) -> None:
    rig.panel("map").focus()
    await rig.press("right")
    await rig.until(lambda: rig.panel("map").cursor)


@pytest.mark.parametrize("look", [Look("truecolor", "braille"), Look("none", "ascii"), Look("16", "block")])
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_a_box_tells_what_lies_under_the_cursor(size: tuple[int, int], look: Look) -> None:
    async with dashboard(size=size, look=look) as rig:
        if size[0] == 80:
            await rig.press("2", "z")
        await with_cursor(rig)
        await rig.until(lambda: "nearest in the plane:" in rig.text and "moved 0 since step 0" in rig.text)


async def test_one_line_in_the_edge_where_the_box_has_no_room() -> None:
    async with dashboard(size=(80, 24)) as rig:
        await rig.press("2")
        await with_cursor(rig)
        await rig.until(lambda: " · nearest " in rig.text)
        assert "nearest in the plane" not in rig.text
        await rig.press("escape")
        await rig.until(lambda: "200 images" in rig.text)


async def test_it_follows_the_mouse_while_a_button_is_held() -> None:
    async with dashboard() as rig:
        panel = rig.panel("map")
        at = panel.canvas.region.offset

        def mouse(kind: type, x: int, y: int, button: int) -> object:
            x, y = at.x + x, at.y + y
            return kind(None, x, y, 0, 0, button, False, False, False, screen_x=x, screen_y=y)

        rig.app.post_message(mouse(MouseDown, 5, 3, 1))
        await rig.until(lambda: panel.cursor == (5, 3) and "nearest in the plane" in rig.text)
        rig.app.post_message(mouse(MouseMove, 8, 4, 1))
        await rig.until(lambda: panel.cursor == (8, 4))
        rig.app.post_message(mouse(MouseMove, 9, 5, 0))
        await rig.press("w")
        await rig.until(lambda: "0.995" in rig.text)
        assert panel.cursor == (8, 4)


async def test_the_cursor_stays_on_the_map_when_the_terminal_shrinks() -> None:
    async with dashboard(size=(200, 60)) as rig:
        await with_cursor(rig)
        await rig.press(*["right"] * 60, *["down"] * 40)
        await rig.until(lambda: rig.panel("map").cursor[0] > 60)
        await rig.resize(120, 40)
        await rig.until(lambda: "nearest in the plane" in rig.text)
        await rig.press("left")
        await rig.until(lambda: rig.panel("map").cursor[0] < rig.panel("map").canvas.size.width)


async def test_before_the_first_evaluation_there_is_nothing_to_tell() -> None:
    async with dashboard(started=False) as rig:
        rig.script.run_started()
        await with_cursor(rig)
        await rig.press("t")
        await rig.until(lambda: "the map appears with the first evaluation" in rig.text)


async def test_going_back_forgets_what_came_after() -> None:
    async with dashboard() as rig:
        rig.script.evaluate()
        await rig.until(lambda: [trace.step for trace in rig.app.state.trails.traces] == [0, 40])
        rig.script.emit(ev.Rewound(step=10, from_step=40, margin=1.0, lr=1e-3))
        await rig.until(lambda: [trace.step for trace in rig.app.state.trails.traces] == [0])
