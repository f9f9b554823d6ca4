"""Panel 6 with scripted updates: what it shows, what its keys ask for, and what it costs while it is hidden."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from reid_tui.config import RunOptions
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset, ImageSet
from reid_tui.engine import run_training
from reid_tui.errors import DataError
from reid_tui.runs.directory import RunDirectory
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.channels import CommandBox
from reid_tui.tui.attached import AttachedSession
from reid_tui.tui.dashboard import ReidTuiApp
from reid_tui.tui.keys import KEYS
from reid_tui.tui.terminal.look import Look
from reid_tui.view import worst_pairs
from tests.tui.rig import CONFIG, LOOK, Rig, Script, dashboard

IMAGES = ImageSet(
    np.random.default_rng(2).integers(0, 256, (20, 1, 28, 28)).astype(np.uint8),
    np.arange(20, dtype=np.int64) % 2,
    np.arange(20, dtype=np.int64) // 2 % 2,
)
ROWS = np.arange(4, 16, dtype=np.int64)


def gallery(split: str = "test", images: ImageSet | None = IMAGES) -> ev.EmbeddingsReady:
    """Row 4 and 14, of identity 0, lie farthest apart; rows 5 and 6 are the closest of two identities."""
    embeddings = np.zeros((12, 2), np.float32)
    embeddings[:, 0], embeddings[:, 1] = np.linspace(0, 1, 12), ROWS % 2
    embeddings[0] = (-3, 0)
    embeddings[2] -= (0.02, -0.5)
    return ev.EmbeddingsReady(
        step=40,
        split=split,
        path="",
        full=True,
        points=embeddings,
        identities=IMAGES.identities[ROWS],
        embeddings=embeddings,
        rows=ROWS,
        cameras=None if IMAGES.cameras is None else IMAGES.cameras[ROWS],
        images=images,
    )


class Answering(Script):
    """Says what a trainer would."""

    def _obey(self, command: cmd.Command) -> None:
        match command:
            case cmd.MarkSuspect(train, row, distance, marked):
                self.emit(
                    ev.SuspectMarked(
                        step=self.step,
                        split="train" if train else "test",
                        row=row,
                        identity="",
                        camera="",
                        path="",
                        distance=distance,
                        marked=marked,
                    )
                )
            case cmd.LeaveOut(row, out):
                self.emit(ev.ImageLeftOut(step=self.step, row=row, out=out, epoch=2))
            case cmd.ShowTraining():
                self.emit(gallery("train"))
            case cmd.Explain(train, first, second):
                parts = tuple(range(10)) * 4
                self.emit(
                    ev.PairExplained(
                        step=self.step,
                        split="train" if train else "test",
                        first=first,
                        second=second,
                        distance=1.0,
                        columns=5,
                        first_parts=parts[:40],
                        second_parts=(0,) * 40,
                    )
                )
            case _:
                super()._obey(command)


def shown(rig: Rig) -> str:
    return " ".join(rig.panel("pairs").canvas.text.split())


async def opened(rig: Rig, *words: str) -> None:
    rig.script.emit(gallery())
    await rig.press("6")
    await rig.until(lambda: all(word in shown(rig) for word in (words or ("SAME, far apart 1/", "▀"))))


@pytest.mark.slow
async def test_the_worst_pairs_with_names_cameras_and_distances() -> None:
    async with dashboard(Answering(), size=(200, 60)) as rig:
        await opened(rig)
        text = shown(rig)
        assert "A T-shirt/top B T-shirt/top" in text
        assert "camera 1 · #4 camera 2 · #14" in text
        assert "distance 3.909" in text, "rows 4 and 14: cameras 1 and 2"
        assert "% of the loss of such pairs" in text
        await rig.press("right")
        await rig.until(lambda: "SAME, far apart 2/" in shown(rig) and "#4" not in shown(rig))
        await rig.press("left", "left")
        await rig.until(lambda: "SAME, far apart 6/6" in shown(rig) or "SAME, far apart 5/5" in shown(rig))
        await rig.press("up")
        await rig.until(lambda: "DIFFERENT, close 1/" in shown(rig) and "A Trouser B T-shirt/top" in shown(rig))
        assert "camera 1 · #5 camera 2 · #6" in shown(rig)
        assert str(rig.panel("pairs").border_subtitle) == "test · 12 images · step 40"


async def test_x_goes_through_a_b_and_none() -> None:
    async with dashboard(Answering(), size=(120, 40)) as rig:
        await opened(rig)
        distance = pytest.approx(3.909, abs=1e-3)
        await rig.press("x")
        await rig.until(lambda: rig.app.state.suspects == {("test", 4)})
        assert rig.script.sent == [cmd.MarkSuspect(False, 4, distance, True)]
        await rig.until(lambda: "! suspect" in shown(rig))
        await rig.press("x")
        await rig.until(lambda: rig.app.state.suspects == {("test", 14)})
        await rig.press("x")
        await rig.until(lambda: rig.app.state.suspects == set() and "! suspect" not in shown(rig))
        assert len(rig.script.sent) == 4
        await rig.press("o")
        await rig.press("w")
        await rig.until(lambda: "0.995" in rig.text)
        assert len(rig.script.sent) == 4, "a test image is in no pair of the training"


async def test_training_images_are_asked_for_and_left_out() -> None:
    async with dashboard(Answering(), size=(120, 40)) as rig:
        await opened(rig)
        await rig.press("t")
        await rig.until(lambda: "train · 12 images" in str(rig.panel("pairs").border_subtitle))
        assert rig.script.sent == [cmd.ShowTraining()]
        await rig.until(lambda: "identity 0" in shown(rig) and "leave marked ones out" in shown(rig))
        await rig.press("x")
        await rig.until(lambda: rig.app.state.suspects == {("train", 4)})
        await rig.press("o")
        await rig.until(lambda: rig.app.state.left_out == {4} and "! suspect, out" in shown(rig))
        await rig.press("x", "w")
        await rig.until(lambda: rig.app.state.suspects == {("train", 14)} and "A identity 0" in shown(rig))
        await rig.press("x")
        await rig.until(lambda: rig.app.state.suspects == set())
        await rig.press("o")
        await rig.until(lambda: rig.app.state.left_out == set())
        assert [sent for sent in rig.script.sent if isinstance(sent, cmd.LeaveOut)] == [
            cmd.LeaveOut(4),
            cmd.LeaveOut(4, out=False),
        ]
        await rig.press("t")
        await rig.until(lambda: "T-shirt/top" in shown(rig))
        assert cmd.ShowTraining() not in rig.script.sent[1:]


@pytest.mark.slow
@pytest.mark.parametrize(
    "look", [LOOK, Look("none", "braille"), Look("16", "block"), Look("truecolor", "ascii")], ids=str
)
async def test_parts_are_laid_over_their_own_pair_only(look: Look) -> None:
    async with dashboard(Answering(), size=(120, 40), look=look) as rig:
        await opened(rig, "SAME, far apart 1/", "#4")
        panel = rig.panel("pairs")
        await rig.until(lambda: "opening" not in shown(rig))
        before = list(panel.canvas._lines)
        await rig.press("h")
        await rig.until(lambda: panel.canvas._lines != before)
        assert rig.script.sent == [cmd.Explain(False, 4, 14)]
        if look.glyphs == "ascii":
            assert panel.canvas.text.isascii()
        await rig.press("right")
        await rig.until(lambda: "SAME, far apart 2/" in shown(rig) and "opening" not in shown(rig))
        other = list(panel.canvas._lines)
        rig.script.emit(dataclasses.replace(gallery(), images=None, embeddings=None))
        await rig.press("left")
        await rig.until(lambda: "SAME, far apart 1/" in shown(rig) and panel.canvas._lines != other)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 15)])
async def test_it_says_what_it_is_at_every_size(size: tuple[int, int]) -> None:
    async with dashboard(Answering(), size=size) as rig:
        await opened(rig, "SAME", "distance 3.909")
        assert rig.panel("pairs").has_focus


async def test_data_that_is_not_there_is_a_line_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> Dataset:
        raise DataError("no such folder; mount it")

    monkeypatch.setattr(catalog, "load", gone)
    async with dashboard(Answering(), size=(120, 40), started=False) as rig:
        rig.script.run_started(config=dataclasses.replace(CONFIG, data="pedestrians"))
        rig.script.emit(gallery(images=None))
        await rig.press("6")
        await rig.until(lambda: "no pictures: no such folder; mount it" in shown(rig))
        assert "A T-shirt/top B T-shirt/top" in shown(rig)


async def test_attached_it_opens_the_pictures_by_itself(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "load", lambda *_, **__: tiny)
    inbox = CommandBox()
    inbox.put(cmd.ShowTraining(), "attach 42")
    options = RunOptions(device="cpu", runs_dir=str(tmp_path), batch_size=16, epochs=1)
    assert isinstance(run_training(options, lambda event: None, inbox, steerable=True), ev.Finished)
    (run,) = tmp_path.iterdir()
    session = AttachedSession(RunDirectory(run))
    app = ReidTuiApp(session, LOOK, fps=50)
    async with app.run_test(size=(120, 40)) as pilot:
        rig = Rig(app, None, pilot)  # type: ignore[arg-type]
        await rig.until(lambda: app.state.gallery is not None and app.state.train_gallery is not None, 20)
        await rig.press("6")
        await rig.until(lambda: "SAME, far apart 1/" in shown(rig) and "▀" in shown(rig))
        assert "A pattern " in shown(rig)
        before = list(rig.panel("pairs").canvas._lines)
        await rig.press("t")
        await rig.until(lambda: "train · 120 images · step 0" in str(rig.panel("pairs").border_subtitle))
        await rig.until(lambda: "▀" in shown(rig) and rig.panel("pairs").canvas._lines != before)
        assert app.state.gallery is not None
        assert app.state.gallery.images is None
    session.join(5)


async def test_hidden_it_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    work = worst_pairs.worst_pairs
    monkeypatch.setattr("reid_tui.tui.widgets.pairs.worst_pairs", lambda *given: calls.append(1) or work(*given))
    async with dashboard(Answering()) as rig:
        rig.script.emit(gallery())
        rig.script.train(2)
        await rig.until(lambda: rig.app.state.step == 42 and rig.app.state.gallery is not None)
        assert rig.main._aside._loop is None
        assert calls == []
        await rig.press("6")
        await rig.until(lambda: "SAME" in shown(rig))
        rig.script.train(5)
        await rig.until(lambda: rig.app.state.step == 47)
        assert len(calls) == 1, "once for a snapshot"


def test_every_key_of_the_panel_is_pressed_here() -> None:
    pressed = {"right", "left", "up", "down", "x", "h", "t", "o"}
    assert {name for key in KEYS for name in key.keys_in("pairs")} == pressed
