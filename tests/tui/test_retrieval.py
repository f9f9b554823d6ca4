"""Panels 7 and 8 on the real app: what is found, what may be asked, and what the trainer answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reid_tui.evaluation.labels import GALLERY, QUERY, Labels
from reid_tui.evaluation.queries import first_ranks
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.tui.screens.query import QueryScreen
from reid_tui.tui.terminal.look import Look
from tests.tui.rig import CONFIG, Rig, Script, dashboard
from tests.view.samples import NAMES, whole_snapshot

SNAPSHOT = whole_snapshot(40, cameras=True)

SHOWN = [
    ((80, 24), Look("none", "ascii")),
    ((80, 24), Look("16", "block")),
    ((120, 40), Look("truecolor", "braille")),
    ((200, 60), Look("256", "braille")),
]


async def with_retrieval(rig: Rig, snapshot: ev.EmbeddingsReady = SNAPSHOT) -> None:
    rig.script.emit(snapshot)
    await rig.press("7", "z")
    await rig.until(lambda: "query 1 of" in rig.text and rig.panel("retrieval").has_focus)


async def ask(rig: Rig, text: str) -> None:
    await rig.press("/")
    await rig.until(lambda: isinstance(rig.app.screen, QueryScreen))
    await rig.press(*text, "enter")
    await rig.until(lambda: rig.app.screen is rig.main)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "look"), SHOWN)
async def test_it_begins_with_the_query_that_finds_the_right_one_last(size: tuple[int, int], look: Look) -> None:
    assert SNAPSHOT.embeddings is not None
    assert SNAPSHOT.identities is not None
    first = first_ranks(SNAPSHOT.embeddings, Labels(SNAPSHOT.identities, SNAPSHOT.cameras))
    async with dashboard(size=size, look=look) as rig:
        await with_retrieval(rig)
        name = NAMES[SNAPSHOT.identities[first.queries[0]]]
        await rig.until(lambda: f"{name} " in rig.text and f"first right answer at rank {first.ranks[0]}" in rig.text)
        await rig.until(lambda: "1 wrong" in rig.text and "#" in rig.text)


async def test_roles_are_those_of_the_split() -> None:
    images = SNAPSHOT.images
    assert images is not None
    assert SNAPSHOT.rows is not None
    roles = np.full(200, GALLERY, np.int8)
    roles[SNAPSHOT.rows[:30]] = QUERY
    async with dashboard() as rig:
        await with_retrieval(rig, replace(SNAPSHOT, images=replace(images, roles=roles)))
        await rig.until(lambda: "query 1 of 30" in rig.text)


async def test_an_image_and_an_identity_are_answered_from_the_snapshot() -> None:
    async with dashboard() as rig:
        await with_retrieval(rig)
        await ask(rig, "#17")
        await rig.until(lambda: "#17 cam" in rig.text)
        await ask(rig, "999")
        await rig.until(lambda: "image 999 is not among those of this evaluation" in rig.text)
        await ask(rig, "Shirt")
        await rig.until(lambda: "Shirt · " in rig.text)
        await rig.press("right")
        await rig.until(lambda: "Shirt · " in rig.text and rig.panel("retrieval")._number == 1)
        await ask(rig, "")
        await rig.until(lambda: "query 1 of" in rig.text)
        assert rig.script.sent == []


@pytest.mark.slow
@pytest.mark.parametrize("before", [(), ("1", "z")])
async def test_a_query_may_be_asked_from_anywhere(before: tuple[str, ...]) -> None:
    async with dashboard() as rig:
        rig.script.emit(SNAPSHOT)
        await rig.press(*before)
        await ask(rig, "#17")
        await rig.until(lambda: "#17 cam" in rig.text and rig.panel("retrieval").has_focus)


async def test_a_picture_is_answered_by_the_trainer() -> None:
    assert SNAPSHOT.embeddings is not None
    async with dashboard() as rig:
        await with_retrieval(rig)
        await ask(rig, "/x/y.png")
        await rig.until(lambda: "/x/y.png: waits for the trainer" in rig.text)
        assert rig.script.sent == [cmd.EmbedPicture("/x/y.png")]
        image, near = np.zeros((1, 8, 8), np.uint8), tuple(SNAPSHOT.embeddings[7].tolist())
        rig.script.emit(ev.PictureEmbedded(step=44, path="/x/y.png", embedding=near, image=image))
        await rig.until(lambda: "embedded at step 44, the gallery at step 40" in rig.text and "SAME" in rig.text)
        await rig.press("right")
        await rig.until(lambda: "query 1 of" in rig.text)


@pytest.mark.slow
async def test_what_is_no_picture_is_one_line() -> None:
    async with dashboard(notifications=True) as rig:
        await with_retrieval(rig)
        await ask(rig, "nope")
        rig.script.emit(ev.PictureEmbedded(step=44, path="nope", embedding=(), problem="nope cannot be used: gone"))
        await rig.until(lambda: rig.text.count("nope cannot be used: gone") == 1)
        await rig.press("left")
        await rig.until(lambda: "query 1 of" in rig.text)


async def test_after_the_end_nobody_embeds_a_picture() -> None:
    async with dashboard() as rig:
        await with_retrieval(rig)
        rig.script.emit(ev.Stopped(step=40, reason="asked", saved=True))
        await rig.until(lambda: rig.app.state.ended)
        await ask(rig, "a.png")
        await rig.until(lambda: "nobody trains this run, so no new picture is embedded" in rig.text)
        assert rig.script.sent == []


async def test_without_the_data_the_names_stand_alone(tmp_path: Path) -> None:
    async with dashboard(Script(remote=True), started=False) as rig:
        rig.script.run_started(config=replace(CONFIG, data=f"folder:{tmp_path}/gone"))
        await with_retrieval(rig, replace(SNAPSHOT, images=None))
        await rig.until(lambda: "no pictures: " in rig.text and " 1 wrong" in rig.text)


async def test_hidden_panels_compute_nothing() -> None:
    async with dashboard() as rig:
        rig.script.emit(SNAPSHOT)
        await rig.press("w")
        await rig.until(lambda: "smoothed 0.995" in rig.text and rig.app.state.gallery is not None)
        assert rig.main._aside.results == 0


@pytest.mark.slow
@pytest.mark.parametrize(("size", "look"), SHOWN)
async def test_overlaps_are_told_in_words(size: tuple[int, int], look: Look) -> None:
    async with dashboard(size=size, look=look) as rig:
        rig.script.emit(whole_snapshot(40))
        await rig.press("8", "z")
        await rig.until(lambda: " % closer than the threshold" in rig.text and "pair 1 of 10 " in rig.text)
