"""Panel 2 on the real app: its cursor, what it tells, and its trails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textual.events import MouseDown, MouseMove

from reid_tui.training import events as ev
from reid_tui.tui.terminal.look import Look
from tests.tui.rig import CONFIG, Rig, Script, dashboard
from tests.view.samples import whole_snapshot

SHOWN = [
    ((80, 24), Look("none", "ascii")),
    ((80, 24), Look("16", "block")),
    ((120, 40), Look("truecolor", "braille")),
    ((200, 60), Look("256", "braille")),
]


async def with_cursor(rig: Rig) -> None:
    rig.panel("map").focus()
    await rig.press("right")
    await rig.until(lambda: rig.panel("map").cursor)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "look"), SHOWN)
async def test_a_box_tells_what_lies_under_the_cursor(size: tuple[int, int], look: Look) -> None:
    async with dashboard(size=size, look=look) as rig:
        if size[0] == 80:
            await rig.press("2", "z")
        await with_cursor(rig)
        await rig.until(lambda: "nearest here:" in rig.text)


async def test_one_line_in_the_edge_where_the_box_has_no_room() -> None:
    async with dashboard(size=(80, 24)) as rig:
        await rig.press("2")
        await with_cursor(rig)
        await rig.until(lambda: " · nearest " in rig.text)
        assert "nearest here" not in rig.text
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
        await rig.until(lambda: panel.cursor == (5, 3) and "nearest here" in rig.text)
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
        await rig.until(lambda: "nearest here" in rig.text)
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


@pytest.mark.slow
async def test_the_images_there_are_shown_with_how_far_they_have_come() -> None:
    async with dashboard(size=(200, 60)) as rig:
        rig.script.emit(whole_snapshot(40), whole_snapshot(90))
        await with_cursor(rig)
        await rig.press("z")
        await rig.until(lambda: "▀" in rig.text and "image " in rig.text and "moved " in rig.text)


async def test_of_more_than_two_dimensions_the_neighbours_are_those_of_the_evaluation() -> None:
    async with dashboard(size=(200, 60), started=False) as rig:
        rig.script.run_started(config=replace(CONFIG, embedding_dim=16))
        rig.script.emit(whole_snapshot(40, dim=16))
        rig.script.train(1)
        await with_cursor(rig)
        await rig.press("z")
        await rig.until(lambda: "nearest at step 40:" in rig.text and "▀" in rig.text)


async def test_without_the_data_the_names_stand_alone(tmp_path: Path) -> None:
    async with dashboard(size=(200, 60), started=False) as rig:
        config = replace(CONFIG, data=f"folder:{tmp_path}/gone")
        rig.script.run_started(config=config)
        rig.script.emit(replace(whole_snapshot(40), images=None))
        rig.script.train(1)
        await with_cursor(rig)
        await rig.press("z")
        await rig.until(lambda: f"{tmp_path}"[:10] in rig.text and "nearest here:" in rig.text)


async def test_trails_begin_with_what_lies_on_disk(tmp_path: Path) -> None:
    (tmp_path / "embeddings").mkdir()
    early, late = whole_snapshot(10), whole_snapshot(900)
    np.savez(tmp_path / "embeddings" / "step-00000010.npz", points=early.points, identities=early.identities)
    async with dashboard(Script(remote=True), started=False) as rig:
        rig.script.run_started(step=900, run=str(tmp_path))
        rig.script.emit(late)
        await rig.press("t")
        await rig.until(lambda: "trails since step 10 " in rig.text)
        await with_cursor(rig)
        await rig.until(lambda: "since step 10" in rig.panel("map").canvas.text)


@pytest.mark.slow
async def test_trails_tell_where_they_begin_when_nothing_is_left_on_disk(tmp_path: Path) -> None:
    async with dashboard(Script(remote=True), started=False) as rig:
        rig.script.run_started(step=900, run=str(tmp_path / "gone"))
        rig.script.emit(whole_snapshot(900))
        await rig.press("t")
        await rig.until(lambda: rig.main._aside.results and "trails since step 900 " in rig.text)
